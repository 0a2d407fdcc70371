-- Private. The k items that pass a filter and whose targets have the largest inner product with a query vector in the space
-- of a model's item factors, largest first; fewer than k where that takes long, but never fewer than enough of those there are.
--
--   walk  The longest targets, which lie together (recsys.models.scanned_from), are compared, all others looked up in the index
--         of each band of their lengths; each of the nearest goes through the filter, until enough pass; after breadth of them
--         the walk has failed. A short band is left out where twice enough are known whose products are larger than that of
--         its longest target with a cosine of .7.
--   scan  The targets of passing_ids are compared, all that pass (_few_passing); and where the walk has failed. More than
--         2,000 by the classes of their lengths (recsys.models.length_classes), from the longest on, as long as a target just
--         too short for those before with a cosine of .15 would be among twice enough: for who likes what few know.
create or replace function recsys_api._nearest_factors(
    query vector, k integer, enough integer, filter recsys_api.filter, model_id bigint,
    passing_ids bigint[] default null, breadth integer default 20000)
returns table (item_id bigint, score double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
set parallel_setup_cost = 10000
-- a walk that may be long stays a walk
set enable_sort = off
as $$
#variable_conflict use_variable
declare
    -- those of the indexes, and the longest that each holds
    bands constant  text[] := array['f.length > 0.5', 'f.length > 0.25 and f.length <= 0.5',
        'f.length > 0.125 and f.length <= 0.25', 'f.length > 0.0625 and f.length <= 0.125',
        'f.length > 0.03125 and f.length <= 0.0625', 'f.length > 0.015625 and f.length <= 0.03125', 'f.length <= 0.015625'];
    limits constant double precision[] := array[null, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625];
    -- of bands that are asked for in one look: those that are compared, or else three walks
    first           integer;
    scanned_from    real;
    inclusion       recsys_api.filter := filter;
    excluded        bigint[] := coalesce((filter).exclude_item_ids, '{}');
    is_filtered     boolean;
    looks           text[];
    passes          text := 'true';
    item            text := '';
    near            record;
    score           double precision;
    most            integer;
    looked_at       integer;
    found           integer;
    -- with those before
    scan constant   text := 'select coalesce(array_agg(n.id order by n.score desc, n.id), ''{}''),
            coalesce(array_agg(n.score order by n.score desc, n.id), ''{}'')
        from (select t.id, t.score
              from (select f.item_id as id, -(f.target <#> $1::halfvec) as score
                    from recsys.item_factors f where f.model_id = %s and f.item_id = any (array(select unnest($2)))
                    union all select b.id, b.score from unnest($3, $4) b (id, score)) t
              order by t.score desc, t.id limit $5) n';
    query_length    double precision := vector_norm(query);
    -- the twice-enough-th product
    needed          double precision := '-infinity';
    has_failed      boolean := false;
    ef_search       text := coalesce(current_setting('hnsw.ef_search', true), '40');
    iterative_scan  text := coalesce(current_setting('hnsw.iterative_scan', true), 'off');
    ids             bigint[] := '{}';
    scores          double precision[] := '{}';
    classes         bytea;
    lengths         real[];
begin
    if passing_ids is null then
        inclusion.exclude_item_ids := null;
        is_filtered := not inclusion is null;
        if is_filtered then
            passes := 'item.passes';
            item := format('left join lateral (
                select true as passes from recsys.items item where item.id = f.id %s offset 0) item on true',
                recsys_api._filter_conditions(filter));
        end if;
        select m.scanned_from into scanned_from from recsys.models m where m.id = model_id;
        first := case when scanned_from is null then 3 else array_position(limits, scanned_from) - 1 end;
        looks := array(select format(
            '(select f.item_id as id, f.target <#> $2::halfvec as distance from recsys.item_factors f
              where f.model_id = %s and %s and f.item_id <> all ($3) order by f.target <#> $2::halfvec limit $4)', model_id, b.band)
            from unnest(bands) b (band));
        looks[first] := case when scanned_from is null then
                array_to_string(looks[:first], ' union all ') || ' order by distance limit $4'
            else format(
                'select f.item_id as id, (f.target <#> $2::halfvec) + 0 as distance from recsys.item_factors f
                 where f.model_id = %s and f.length > %s and f.item_id <> all ($3) order by distance limit $4',
                model_id, scanned_from) end;
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
        for i in first .. cardinality(bands) loop
            if i > first then
                needed := coalesce((select s.score from unnest(scores) s (score)
                    order by s.score desc offset 2 * enough - 1 limit 1), '-infinity');
                exit when needed >= 0.7 * query_length * limits[i];
            end if;
            perform set_config('hnsw.ef_search',
                least(1000, case when i <= 3 then greatest(120, k) else greatest(60, 2 * enough) end)::text, true);
            most := case when not is_filtered then k when i > first then breadth / 4 else breadth end;
            looked_at := 0;
            found := 0;
            for near in execute format('select f.*, %s as passes from (%s) f %s', passes, looks[i], item)
                using filter, query, excluded, most
            loop
                score := -near.distance;
                exit when score < needed or found >= case when is_filtered then 2 * enough else k end;
                looked_at := looked_at + 1;
                continue when near.passes is null;
                found := found + 1;
                ids := ids || near.id;
                scores := scores || score;
            end loop;
            has_failed := is_filtered and looked_at >= most;
            exit when has_failed;
        end loop;
        perform set_config('hnsw.iterative_scan', iterative_scan, true);
        perform set_config('hnsw.ef_search', ef_search, true);
        if not is_filtered or cardinality(ids) >= enough and not has_failed then
            return query select n.id, n.score from unnest(ids, scores) n (id, score) order by n.score desc, n.id limit k;
            return;
        end if;
        passing_ids := recsys_api._passing_ids(filter);
        ids := '{}';
        scores := '{}';
    end if;
    if cardinality(passing_ids) > 2000 then
        -- once in full, not for each item
        select m.length_classes || '', m.class_lengths into classes, lengths from recsys.models m where m.id = model_id;
    end if;
    for class in reverse coalesce(cardinality(lengths), 0) .. 0 loop
        execute format(scan, model_id) into ids, scores
        using query, case when classes is null then passing_ids else array(
                select p.id from unnest(passing_ids) p (id) where recsys_api._length_class(classes, p.id) = class) end,
            ids, scores, k;
        exit when scores[2 * enough] >= 0.15 * query_length * lengths[class];
    end loop;
    return query select n.id, n.score from unnest(ids, scores) n (id, score);
end $$;
