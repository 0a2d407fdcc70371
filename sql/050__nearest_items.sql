-- Private. The k items that pass a filter and whose embeddings are nearest to a query vector, by cosine
-- distance, nearest first. Fewer than k only when fewer embedded items pass.
--
-- Strategy: the nearest items are looked up without the filter and cut by it; if k pass, they are the answer.
-- Otherwise, if few items pass the filter, they are all compared (exact). Otherwise the index is walked further
-- under the filter; unless the filter passes rarely near the query (it is against the query), where that would
-- miss the nearest, and whenever it gives fewer than k: then all are compared.
-- Settings: search.ef_search, search.exact_limit.
create or replace function recsys_api._nearest_items(query vector, k integer, filter recsys_api.filter)
returns table (item_id bigint, distance double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
as $$
declare
    conditions      text := recsys_api._filter_conditions(filter);
    probe           integer := least(1000, greatest(recsys_api._setting('search.ef_search')::integer / 4, 2 * k));
    exact_limit     integer := recsys_api._setting('search.exact_limit')::integer;
    ef_search       text := coalesce(current_setting('hnsw.ef_search', true), '40');
    iterative_scan  text := coalesce(current_setting('hnsw.iterative_scan', true), 'off');
    ids             bigint[];
    distances       double precision[];
    items           real := (select c.reltuples from pg_class c where c.oid = 'recsys.items'::regclass);
    passing         integer;
    along_index     boolean;
    exact_ids       bigint[];
    exact_distances double precision[];
begin
    -- the last of ef_search items are found unreliably: the walk keeps four times what is used of it
    perform set_config('hnsw.ef_search', least(1000, 4 * probe)::text, true);
    execute format(
        'select array_agg(n.id order by n.distance, n.id), array_agg(n.distance order by n.distance, n.id)
         from (select i.id, i.distance
               from (select i.*, i.embedding <=> $2 as distance
                     from recsys.items i where i.embedding is not null
                     order by i.embedding <=> $2 limit %s) i
               where true %s order by i.distance, i.id limit %s) n', probe, conditions, k)
    into ids, distances using filter, query;

    if coalesce(cardinality(ids), 0) < k then
        -- one pass both counts, up to the limit, and gives the exact answer if the limit is not reached
        execute format(
            'with passing as materialized (
                 select i.id, (i.embedding <=> $2) + 0 as distance
                 from recsys.items i where i.embedding is not null %s limit %s)
             select (select count(*) from passing), array_agg(n.id order by n.distance, n.id),
                 array_agg(n.distance order by n.distance, n.id)
             from (select * from passing p order by p.distance, p.id limit %s) n', conditions, exact_limit + 1, k)
        into passing, exact_ids, exact_distances using filter, query;

        -- walking the index under the filter finds the nearest only if the filter is not against the query: if it
        -- passes near the query about as often as elsewhere, where at least exact_limit of all items pass
        along_index := 2 * coalesce(cardinality(ids), 0) * greatest(items, 1) > probe * exact_limit;
        if passing > exact_limit and along_index then
            perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
            perform set_config('hnsw.ef_search', '1000', true);
            execute format(
                'select array_agg(n.id order by n.distance, n.id), array_agg(n.distance order by n.distance, n.id)
                 from (select i.id, i.distance
                       from (select i.id, i.embedding <=> $2 as distance
                             from recsys.items i where i.embedding is not null %s order by i.embedding <=> $2 limit %s) i
                       order by i.distance, i.id limit %s) n', conditions, 10 * k, k)
            into ids, distances using filter, query;
            perform set_config('hnsw.iterative_scan', iterative_scan, true);
        end if;

        if passing <= exact_limit then
            ids := exact_ids;
            distances := exact_distances;
        elsif not along_index or coalesce(cardinality(ids), 0) < k then
            execute format(
                'select array_agg(n.id order by n.distance, n.id), array_agg(n.distance order by n.distance, n.id)
                 from (select i.id, (i.embedding <=> $2) + 0 as distance
                       from recsys.items i where i.embedding is not null %s
                       order by (i.embedding <=> $2) + 0, i.id limit %s) n', conditions, k)
            into ids, distances using filter, query;
        end if;
    end if;
    perform set_config('hnsw.ef_search', ef_search, true);

    return query select r.id, r.d from unnest(ids, distances) with ordinality r (id, d, position) order by r.position;
end $$;
