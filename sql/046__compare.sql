-- Private. Of the given items, the k whose embeddings are nearest to a query vector, by cosine distance, nearest first.
create or replace function recsys_api._compare(
    query vector, k integer, item_ids bigint[], out ids bigint[], out distances double precision[])
returns record
language plpgsql stable
set search_path from current
as $$
begin
    select array_agg(n.id order by n.distance, n.id), array_agg(n.distance order by n.distance, n.id)
    into ids, distances
    from (select item.id, (item.embedding <=> query) + 0 as distance
          from recsys.items item where item.id = any (item_ids) and item.embedding is not null
          order by distance, item.id limit k) n;
end $$;
