-- Private. Of the items that a walk of the given breadth through the vector index finds nearest to a query vector, those
-- that meet the conditions of a filter, nearest first. Only the nearest of a walk are reliable: rows_compared is how many
-- are asked for, and the k nearest of all that pass are among them only if k of them pass. rows_found counts those that
-- are still there: fewer, where much was deleted since the last vacuum.
-- With a predicate, the index that is partial by it is walked.
create or replace function recsys_api._walk(
    query vector, filter recsys_api.filter, conditions text, predicate text, breadth integer, rows_compared integer,
    out ids bigint[], out distances double precision[], out rows_found integer)
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
    else
        execute format(
            'select array_agg(n.id order by n.distance, n.id) filter (where n.passes),
                 array_agg(n.distance order by n.distance, n.id) filter (where n.passes), count(*)
             from (select item.id, item.distance, true %s as passes
                   from (select item.*, item.embedding <=> $2 as distance
                         from recsys.items item where item.embedding is not null %s
                         order by item.embedding <=> $2 limit %s) item) n',
            conditions, 'and (' || predicate || ')', rows_compared)
        into ids, distances, rows_found using filter, query;
    end if;
    perform set_config('hnsw.ef_search', ef_search, true);
end $$;
