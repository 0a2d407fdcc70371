-- Private. The k items that pass a filter and whose targets have the largest inner product with a query vector in the space
-- of a model's item factors, largest first: those of smallest cosine distance, since all targets have one length.
--
--   index_walk  The nearest are looked up without the filter and cut by it, in a walk three times as broad as that should
--               take, of which the first half counts; without a filter twice as broad.
--   scan        Where that would be too broad, or found too few: the targets of all that pass are compared.
create or replace function recsys_api._nearest_factors(
    query vector, k integer, filter recsys_api.filter, model_id bigint)
returns table (item_id bigint, score double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
set parallel_setup_cost = 10000
as $$
declare
    conditions  text := recsys_api._filter_conditions(filter);
    inclusion   recsys_api.filter := filter;
    is_filtered boolean;
    ef_search   text := coalesce(current_setting('hnsw.ef_search', true), '40');
    share       double precision := 1;
    wanted      double precision;
    breadth     integer;
    most        integer := 1000;
    -- a narrow row tells what an item is like, so who may not see the item may not see it
    has_copies  boolean := not row_security_active('recsys.items') and not exists (
        select from recsys.filter_rules r where r.name = (filter).rule and r.relation = 'items');
    ids         bigint[];
    scores      double precision[];
begin
    inclusion.exclude_item_ids := null;
    is_filtered := not inclusion is null;
    if is_filtered and has_copies then
        select e.share into share
        from recsys_api._estimate_passing(filter, conditions || recsys_api._band_conditions(filter)) e;
    end if;
    wanted := greatest(200, case when is_filtered then 3 else 2 end
        * (k / greatest(share, 1e-6) + coalesce(cardinality((filter).exclude_item_ids), 0)));
    if wanted <= 1000 or not is_filtered then
        breadth := least(1000, wanted);
        perform set_config('hnsw.ef_search', breadth::text, true);
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(1 - n.distance order by n.distance, n.id)
             from (select f.id, f.distance
                   from (select f.item_id as id, f.target <=> $2::halfvec as distance
                         from recsys.item_factors f where f.model_id = %s
                         order by f.target <=> $2::halfvec limit %s) f
                   join recsys.items item on item.id = f.id
                   where true %s order by f.distance, f.id limit %s) n',
            model_id, case when is_filtered then breadth / 2 else breadth end, conditions, k)
        into ids, scores using filter, query;
        perform set_config('hnsw.ef_search', ef_search, true);
    end if;
    -- without a filter, what is missing of many was excluded, and others fill up
    if not is_filtered then
        most := 200;
    end if;
    if coalesce(cardinality(ids), 0) < least(k, most) then
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(1 - n.distance order by n.distance, n.id)
             from (select f.item_id as id, (f.target <=> $2::halfvec) + 0 as distance
                   from (%s) item join recsys.item_factors f on f.item_id = item.id and f.model_id = %s
                   order by distance, f.item_id limit %s) n',
            case when has_copies then format(
                'select item.id from recsys.searchable_items item where true %s
                 union all select item.id from recsys.items item where item.embedding is null %s',
                conditions || recsys_api._band_conditions(filter), conditions)
            else format('select item.id from recsys.items item where true %s', conditions) end, model_id, k)
        into ids, scores using filter, query;
    end if;
    return query select n.id, n.score from unnest(ids, scores) with ordinality n (id, score, position)
        order by n.position;
end $$;
