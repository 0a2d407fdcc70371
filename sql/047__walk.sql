-- Private. Of the items that a walk of the given breadth through the vector index finds nearest to a query vector, those
-- that meet the conditions of a filter, nearest first, each with its place among all that the walk found. Only the first
-- places are reliable. rows_compared is how many are asked for; rows_found is fewer where much was deleted since the last
-- vacuum, or policies hide it.
-- With a predicate, the index that is partial by it is walked.
create or replace function recsys_api._walk(
    query vector, filter recsys_api.filter, conditions text, predicate text, breadth integer, rows_compared integer,
    out ids bigint[], out distances double precision[], out places integer[], out rows_found integer)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    ef_search text := coalesce(current_setting('hnsw.ef_search', true), '40');
begin
    perform set_config('hnsw.ef_search', breadth::text, true);
    if conditions = '' then
        select array_agg(n.id order by n.distance, n.id), array_agg(n.distance order by n.distance, n.id), count(*)
        into ids, distances, rows_found
        from (select item.id, item.embedding <=> query as distance
              from recsys.items item where item.embedding is not null
              order by item.embedding <=> query limit rows_compared) n;
        places := array(select generate_series(1, rows_found));
    else
        execute format(
            'select array_agg(n.id order by n.distance, n.id) filter (where n.passes),
                 array_agg(n.distance order by n.distance, n.id) filter (where n.passes),
                 array_agg(n.place order by n.place) filter (where n.passes), count(*)
             from (select item.id, item.distance, true %s as passes,
                       row_number() over (order by item.distance, item.id)::integer as place
                   from (select item.*, item.embedding <=> $2 as distance
                         from recsys.items item where item.embedding is not null %s
                         order by item.embedding <=> $2 limit %s) item) n',
            conditions, 'and (' || predicate || ')', rows_compared)
        into ids, distances, places, rows_found using filter, query;
    end if;
    perform set_config('hnsw.ef_search', ef_search, true);
end $$;
