-- Private. The one search behind all vector search: the k items that pass a filter and whose embeddings are nearest
-- to a query vector of unit length, by cosine distance, nearest first. Fewer than k only when fewer embedded items
-- pass. steps tells what was tried, in order; the last step gave the answer.
--
--   partial_index  The filter implies the predicate of an advised index: that one is walked, and cut by the filter.
--   exact          Few items pass, at most search.exact_limit: they are gathered, and all their vectors compared.
--   index_walk     The nearest items are looked up without the filter and cut by it. Enough pass, unless the filter
--                  passes rarely near the query; tried without a filter, and where more than search.scan_limit pass.
--   code_scan      The codes of all that pass are compared, and the vectors of the best: search.rerank of them, and
--                  four and sixteen times as many as long as one of the k is found behind the first quarter.
--   full_scan      The vectors of all that pass are compared: where codes may not be read, and under a rule over
--                  columns that searchable_items lacks.
create or replace function recsys_api._search(
    query vector, k integer, filter recsys_api.filter,
    out ids bigint[], out distances double precision[], out steps recsys_api.search_step[])
returns record
language plpgsql stable
set search_path from current
set jit = off
as $$
declare
    conditions     text := recsys_api._filter_conditions(filter);
    all_conditions text := conditions || recsys_api._band_conditions(filter);
    inclusion      recsys_api.filter := filter;
    -- a code tells what a vector is like, so who may not see an item may not see its code
    has_codes      boolean := not row_security_active('recsys.items') and not exists (
        select from recsys.filter_rules r where r.name = (filter).rule and r.relation = 'items');
    ef_search      integer := recsys_api._setting('search.ef_search');
    exact_limit    integer;
    predicate      text;
    estimate       record;
    breadth        integer;
    portion        integer;
    is_walked      boolean;
    reach          integer;
    places         integer[];
    rows_found     integer;
    depth          integer;
    candidates     bigint[];
    started        timestamptz := clock_timestamp();
begin
    inclusion.exclude_item_ids := null;

    if not inclusion is null then
        predicate := recsys_api._search_index(filter);
        if predicate is not null and 4 * k <= 1000 then
            breadth := least(1000, greatest(ef_search, 4 * k));
            select w.ids, w.distances into ids, distances
            from recsys_api._walk(query, filter, conditions, predicate, breadth, breadth / 2) w;
            steps := recsys_api._add_step(steps, 'partial_index', breadth / 2, coalesce(cardinality(ids), 0), started);
            if cardinality(ids) >= k then
                ids := ids[:k];
                distances := distances[:k];
                return;
            end if;
            started := clock_timestamp();
        end if;

        exact_limit := recsys_api._setting('search.exact_limit');
        execute format('select array_agg(s.id) from (select item.id from %s limit %s) s',
            case when has_codes then 'recsys.searchable_items item where true' || all_conditions
                else 'recsys.items item where item.embedding is not null' || conditions end, exact_limit + 1)
        into candidates using filter;
        if coalesce(cardinality(candidates), 0) <= exact_limit then
            select c.ids, c.distances into ids, distances from recsys_api._compare(query, k, candidates) c;
            steps := recsys_api._add_step(
                steps, 'exact', coalesce(cardinality(candidates), 0), coalesce(cardinality(candidates), 0), started);
            return;
        end if;
    end if;

    -- the further down a filter takes the answers, the broader a walk has to be that finds all of them; and without
    -- codes all vectors are compared if it fails, which costs more than the broadest walk
    breadth := least(1000, greatest(ef_search, 4 * (k + coalesce(cardinality((filter).exclude_item_ids), 0))));
    portion := 4;
    if not inclusion is null then
        breadth := least(1000, greatest(5 * ef_search / 2, 16 * k));
        portion := 8;
    end if;
    if not has_codes then
        breadth := 1000;
    end if;
    is_walked := k <= breadth / portion;
    if is_walked and has_codes and not inclusion is null then
        select e.passing, e.share into estimate from recsys_api._estimate_passing(filter, all_conditions) e;
        is_walked := estimate.passing > recsys_api._setting('search.scan_limit')
            and estimate.share * breadth / portion >= 1.5 * k;
    end if;
    if is_walked then
        -- where policies hide some of what a walk finds, all of it is asked for, to know what its first places are
        reach := case when has_codes then breadth / portion else breadth end;
        select w.ids, w.distances, w.places, w.rows_found into ids, distances, places, rows_found
        from recsys_api._walk(query, filter, conditions, null, breadth, reach) w;
        steps := recsys_api._add_step(steps, 'index_walk', rows_found, coalesce(cardinality(ids), 0), started);
        -- fewer where most of what the index holds there was deleted: then what is left is the unreliable end of the walk
        if cardinality(ids) >= k
            and (has_codes and rows_found >= reach or not has_codes and places[k] <= rows_found / portion)
        then
            ids := ids[:k];
            distances := distances[:k];
            return;
        end if;
        started := clock_timestamp();
    end if;

    if has_codes then
        depth := greatest(recsys_api._setting('search.rerank')::integer, 8 * k);
        execute format(
            'select array_agg(s.id) from (select item.id from recsys.searchable_items item where true %s
                                          order by item.code <~> $2 limit %s) s', all_conditions, 16 * depth)
        into candidates using filter, recsys.embedding_code(query);
        loop
            select c.ids, c.distances into ids, distances
            from recsys_api._compare(query, k, candidates[:depth]) c;
            exit when depth >= coalesce(cardinality(candidates), 0) or ids <@ candidates[:depth / 4];
            depth := 4 * depth;
        end loop;
        steps := recsys_api._add_step(
            steps, 'code_scan', least(depth, coalesce(cardinality(candidates), 0)), null, started);
    else
        execute format(
            'select array_agg(n.id order by n.distance, n.id), array_agg(n.distance order by n.distance, n.id)
             from (select item.id, (item.embedding <=> $2) + 0 as distance
                   from recsys.items item where item.embedding is not null %s
                   order by distance, item.id limit %s) n', conditions, k)
        into ids, distances using filter, query;
        steps := recsys_api._add_step(steps, 'full_scan', null, null, started);
    end if;
end $$;
