-- Private. The k items that pass a filter and whose targets have the largest inner product with a query vector in the space
-- of a model's item factors, largest first; fewer than k where that takes long, but never fewer than enough of those there are.
--
--   walk  The nearest are looked up in the index of each band of lengths. Without a filter the walk goes on where many of
--         them are excluded. With one they are cut by it, where a scan would take longer: first a few hundred, and more if
--         then enough would pass.
--   scan  The targets of all that pass are compared. One takes as long as five codes (search.scan_limit).
create or replace function recsys_api._nearest_factors(
    query vector, k integer, enough integer, filter recsys_api.filter, model_id bigint)
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
    walk            text;
    conditions      text := recsys_api._filter_conditions(filter);
    inclusion       recsys_api.filter := filter;
    ef_search       text := coalesce(current_setting('hnsw.ef_search', true), '40');
    iterative_scan  text := coalesce(current_setting('hnsw.iterative_scan', true), 'off');
    scanned         double precision := recsys_api._setting('search.scan_limit') / 5;
    passing         double precision := 'infinity';
    share           double precision := 0;
    wanted          double precision;
    is_second       boolean := false;
    breadth         integer;
    found           integer := 0;
    -- a narrow row tells what an item is like, so who may not see the item may not see it
    has_copies      boolean := not row_security_active('recsys.items') and not exists (
        select from recsys.filter_rules r where r.name = (filter).rule and r.relation = 'items');
    ids             bigint[];
    scores          double precision[];
begin
    inclusion.exclude_item_ids := null;
    select string_agg(format(
            '(select f.item_id as id, f.target <#> $2::halfvec as distance from recsys.item_factors f
              where f.model_id = %s and %s %s order by f.target <#> $2::halfvec limit $4)', model_id, b.band,
            case when inclusion is null then 'and f.item_id <> all ($3)' end), ' union all ')
    into walk from unnest(bands) b (band);
    if inclusion is null then
        perform set_config('hnsw.ef_search', least(1000, k)::text, true);
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(-n.distance order by n.distance, n.id)
             from (select f.id, f.distance from (%s) f order by f.distance, f.id limit $4) n', walk)
        into ids, scores using filter, query, coalesce((filter).exclude_item_ids, '{}'), k;
        perform set_config('hnsw.iterative_scan', iterative_scan, true);
        perform set_config('hnsw.ef_search', ef_search, true);
        return query select n.id, n.score from unnest(ids, scores) with ordinality n (id, score, position)
            order by n.position;
        return;
    end if;
    if has_copies then
        select e.passing, e.share into passing, share
        from recsys_api._estimate_passing(filter, conditions || recsys_api._band_conditions(filter)) e;
    end if;
    -- twice as many as it takes where the nearest pass as often as all do; where that is much, a few tell whether they pass
    -- more often
    wanted := greatest(100, 2 * enough / greatest(share, 0.001));
    if wanted > 400 then
        wanted := greatest(100, 2 * enough);
    end if;
    -- a walk of a thousand takes as long as a scan of so many targets
    while found < enough and wanted <= 1000 and passing > scanned * (wanted / 1000) loop
        breadth := wanted;
        perform set_config('hnsw.ef_search', breadth::text, true);
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(-n.distance order by n.distance, n.id)
             from (select f.id, f.distance
                   from (select f.id, f.distance from (%s) f order by f.distance, f.id limit $4) f
                   join recsys.items item on item.id = f.id
                   where true %s order by f.distance, f.id limit $5) n', walk, conditions)
        into ids, scores using filter, query, null, breadth, k;
        perform set_config('hnsw.ef_search', ef_search, true);
        found := coalesce(cardinality(ids), 0);
        -- half as many again as it seems to take, once
        exit when is_second;
        is_second := true;
        wanted := greatest(breadth, 1.5 * breadth * enough / greatest(1, found));
    end loop;
    if found < enough then
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(-n.distance order by n.distance, n.id)
             from (select f.item_id as id, (f.target <#> $2::halfvec) + 0 as distance
                   from recsys.item_factors f where f.model_id = %s and f.item_id = any (array(%s))
                   order by distance, f.item_id limit %s) n', model_id,
            case when has_copies then format(
                'select item.id from recsys.searchable_items item where true %s
                 union all select item.id from recsys.items item where item.embedding is null %s',
                conditions || recsys_api._band_conditions(filter), conditions)
            else format('select item.id from recsys.items item where true %s', conditions) end, k)
        into ids, scores using filter, query;
    end if;
    return query select n.id, n.score from unnest(ids, scores) with ordinality n (id, score, position)
        order by n.position;
end $$;
