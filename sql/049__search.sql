-- Private. The one search behind all vector search: the k items that pass a filter and whose embeddings are nearest
-- to a query vector of unit length, by cosine distance, nearest first. Fewer than k only when fewer embedded items
-- pass. steps tells what was tried, in order; the last step gave the answer.
--
--   partial_index  The filter implies the predicate of an advised index: that one is walked, and cut by the filter.
--   exact          Few items pass, at most search.exact_limit: all their vectors are compared.
--   index_walk     The nearest items are looked up without the filter and cut by it; once more and more broadly if then
--                  enough would pass. Tried without a filter, and where a scan would take longer: search.scan_limit codes
--                  are scanned in the time of the broadest walk. Not while a large load does without that index.
--   code_scan      The codes of all that pass are compared, and the vectors of the best: search.rerank of them, and
--                  twice as many as long as one of the k is found behind the first three tenths.
--   full_scan      The vectors of all that pass are compared: where codes may not be read, and under a rule over
--                  columns that searchable_items lacks.
create or replace function recsys_api._search(
    query vector, k integer, filter recsys_api.filter,
    out ids bigint[], out distances double precision[], out steps recsys_api.search_step[])
returns record
language plpgsql stable
set search_path from current
set jit = off
set parallel_setup_cost = 10000
as $$
declare
    conditions     text := recsys_api._filter_conditions(filter);
    all_conditions text := conditions || recsys_api._band_conditions(filter);
    inclusion      recsys_api.filter := filter;
    is_filtered    boolean;
    has_codes      boolean := recsys_api._has_copies(filter);
    is_indexed     boolean := not exists (select from recsys.deferred_indexes d where d.index_name = 'items_embedding_idx');
    ef_search      integer := recsys_api._setting('search.ef_search');
    exact_limit    integer := recsys_api._setting('search.exact_limit');
    scan_limit     integer := recsys_api._setting('search.scan_limit');
    predicate      text;
    passing        double precision := 0;
    share          double precision;
    near_share     double precision;
    least_walked   double precision := scan_limit * (ef_search / 1000.0);
    breadth        integer;
    reach          integer;
    needed         integer := k;
    is_second      boolean := false;
    places         integer[];
    rows_found     integer;
    depth          integer;
    candidates     bigint[];
    started        timestamptz := clock_timestamp();
begin
    inclusion.exclude_item_ids := null;
    is_filtered := not inclusion is null;

    if is_filtered then
        predicate := recsys_api._search_index(filter);
        -- where the narrowest walk might be quicker than a scan; a row of the codes takes more than 200 bytes
        if has_codes and pg_relation_size('recsys.searchable_items') / 200 > least_walked then
            select e.passing, e.share into passing, share from recsys_api._estimate_passing(filter, all_conditions) e;
            if passing > least_walked then
                near_share := recsys_api._near_share(query, filter, all_conditions, share);
            end if;
        end if;
        -- what passes is hard to find by a walk from a query that is far from it
        breadth := least(1000, greatest(4 * k, case when near_share >= share then ef_search else 2 * ef_search end));
        if predicate is not null and 4 * k <= breadth
            and (not has_codes or passing > scan_limit * (breadth / 1000.0))
        then
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
        if not has_codes then
            -- what it saves is the broadest walk, so it may cost more than where codes are scanned
            exact_limit := least(10 * exact_limit::bigint, 1000000);
            execute format('select array_agg(s.id) from (select item.id from recsys.items item
                where item.embedding is not null %s limit %s) s', conditions, exact_limit + 1)
            into candidates using filter;
            if coalesce(cardinality(candidates), 0) <= exact_limit then
                select c.ids, c.distances into ids, distances from recsys_api._compare(query, k, candidates) c;
                steps := recsys_api._add_step(
                    steps, 'exact', coalesce(cardinality(candidates), 0), coalesce(cardinality(candidates), 0), started);
                return;
            end if;
        end if;
    end if;

    if not has_codes then
        -- all vectors are compared if the walk fails, which costs more than the broadest walk
        breadth := 1000;
        reach := breadth / case when is_filtered then 8 else 4 end;
    elsif is_filtered then
        -- half as many again as it seems to take, in a walk six times as broad, of which the first quarter counts
        needed := least(1000, ceil(1.5 * k / near_share));
        breadth := least(1000, greatest(ef_search, 6 * needed));
        reach := case when passing > scan_limit * (breadth / 1000.0) then breadth / 4 else 0 end;
    else
        breadth := least(1000, greatest(ef_search, 4 * (k + coalesce(cardinality((filter).exclude_item_ids), 0))));
        reach := breadth / 4;
    end if;
    if has_codes and not is_indexed then
        reach := 0;
    end if;
    while needed <= reach loop
        -- where policies hide some of what a walk finds, all of it is asked for, to know what its first places are
        select w.ids, w.distances, w.places, w.rows_found into ids, distances, places, rows_found
        from recsys_api._walk(query, filter, conditions, null, breadth, case when has_codes then reach else breadth end) w;
        steps := recsys_api._add_step(steps, 'index_walk', rows_found, coalesce(cardinality(ids), 0), started);
        -- fewer where most of what the index holds there was deleted: then what is left is the unreliable end of the walk
        if cardinality(ids) >= k
            and (has_codes and rows_found >= reach or not has_codes and places[k] <= rows_found * reach / breadth)
        then
            ids := ids[:k];
            distances := distances[:k];
            return;
        end if;
        started := clock_timestamp();
        exit when is_second or not has_codes or not is_filtered;
        is_second := true;
        needed := ceil(1.2 * k * reach / greatest(1, coalesce(cardinality(ids), 0)));
        breadth := least(1000, greatest(2 * breadth, 6 * needed));
        reach := breadth / 4;
    end loop;

    if has_codes then
        depth := greatest(recsys_api._setting('search.rerank')::integer, 8 * k);
        execute format(
            'select array_agg(s.id) from (select item.id from recsys.searchable_items item where true %s
                                          order by item.code <~> $2 limit %s) s',
            all_conditions, greatest(16 * depth, exact_limit + 1))
        into candidates using filter, recsys.embedding_code(query);
        rows_found := coalesce(cardinality(candidates), 0);
        if rows_found <= exact_limit then
            select c.ids, c.distances into ids, distances from recsys_api._compare(query, k, candidates) c;
            steps := recsys_api._add_step(steps, 'exact', rows_found, rows_found, started);
            return;
        end if;
        candidates := candidates[:16 * depth];
        rows_found := cardinality(candidates);
        select c.ids, c.distances into ids, distances from recsys_api._compare(query, k, candidates[:depth]) c;
        while depth < rows_found and not ids <@ candidates[:3 * depth / 10] loop
            select c.ids, c.distances into ids, distances
            from recsys_api._compare(query, k, ids || candidates[depth + 1:2 * depth]) c;
            depth := 2 * depth;
        end loop;
        steps := recsys_api._add_step(steps, 'code_scan', least(depth, rows_found), null, started);
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
