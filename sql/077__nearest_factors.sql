-- Private. The k items that pass a filter and whose targets have the largest inner product with a query vector in the space
-- of a model's item factors, largest first; fewer than k where that takes long, but never fewer than enough of those there are.
--
--   walk  The nearest are looked up in the index of each band of lengths, and the walk goes on where many of them are
--         excluded, or do not pass: breadth of them at most.
--   scan  The targets of passing_ids are compared, all that pass (_few_passing); and where the walk has not found enough.
create or replace function recsys_api._nearest_factors(
    query vector, k integer, enough integer, filter recsys_api.filter, model_id bigint,
    passing_ids bigint[] default null, breadth integer default null)
returns table (item_id bigint, score double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
set parallel_setup_cost = 10000
as $$
declare
    -- those of the indexes
    bands constant  text[] := array['l2_norm(f.target) > 0.25', 'l2_norm(f.target) > 0.125 and l2_norm(f.target) <= 0.25',
        'l2_norm(f.target) > 0.0625 and l2_norm(f.target) <= 0.125', 'l2_norm(f.target) <= 0.0625'];
    inclusion       recsys_api.filter := filter;
    is_filtered     boolean;
    ef_search       text := coalesce(current_setting('hnsw.ef_search', true), '40');
    iterative_scan  text := coalesce(current_setting('hnsw.iterative_scan', true), 'off');
    ids             bigint[];
    scores          double precision[];
begin
    if passing_ids is null then
        inclusion.exclude_item_ids := null;
        is_filtered := not inclusion is null;
        perform set_config('hnsw.ef_search', greatest(80, k)::text, true);
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(-n.distance order by n.distance, n.id)
             from (select f.id, f.distance from (select f.id, f.distance from (%s) f order by f.distance limit $4) f %s
                   limit $5) n',
            (select string_agg(format(
                '(select f.item_id as id, f.target <#> $2::halfvec as distance from recsys.item_factors f
                  where f.model_id = %s and %s and f.item_id <> all ($3)
                  order by f.target <#> $2::halfvec limit $4)', model_id, b.band), ' union all ') from unnest(bands) b (band)),
            case when is_filtered then format('cross join lateral (
                select from recsys.items item where item.id = f.id %s offset 0) item', recsys_api._filter_conditions(filter)) end)
        into ids, scores
        using filter, query, coalesce((filter).exclude_item_ids, '{}'), case when is_filtered then breadth else k end,
            case when is_filtered then 2 * enough else k end;
        perform set_config('hnsw.iterative_scan', iterative_scan, true);
        perform set_config('hnsw.ef_search', ef_search, true);
    end if;
    if passing_ids is not null or is_filtered and coalesce(cardinality(ids), 0) < enough then
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(-n.distance order by n.distance, n.id)
             from (select f.item_id as id, (f.target <#> $1::halfvec) + 0 as distance
                   from recsys.item_factors f where f.model_id = %s and f.item_id = any ($2)
                   order by distance, f.item_id limit $3) n', model_id)
        into ids, scores using query, coalesce(passing_ids, recsys_api._passing_ids(filter)), k;
    end if;
    return query select n.id, n.score from unnest(ids, scores) with ordinality n (id, score, position)
        order by n.position;
end $$;
