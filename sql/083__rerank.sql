-- Private. Makes a list of n of the candidates: their scores adjusted, every place given in turn to the item that is pinned
-- to it, or else to the best of those left whose category is not full.
--
--   diversity         best is what maximises (1 - diversity) * relevance - diversity * largest similarity to an item already
--                     in the list (maximal marginal relevance, Carbonell and Goldstein, SIGIR 1998), relevance being the
--                     adjusted score scaled to 0 … 1, equal ones spread by their order to the next smaller one
--                     (the smallest to the next larger), and similarity that of _likeness
--   new_item_share    so many of the places are first offered to items that few know yet
--   max_per_category  rows of one category; pins count and stand whatever the number
-- Of equal scores, as those listed by popularity are, the order is that of popularity, boosted and rotated alike. These
-- stay behind what has a score, however far that sank.
-- Result: places of the candidates in their arrays, their adjusted scores, and what put each where it is.
create or replace function recsys_api._rerank(
    item_ids bigint[], scores double precision[], n integer, controls recsys_api._controls, user_id bigint,
    out places integer[], out adjusted double precision[], out placements text[])
returns record
language plpgsql stable
set search_path from current
set jit = off
as $$
declare
    is_adjusted  boolean := controls.boosts is not null or controls.popularity_damping > 0 or controls.rotation > 0;
    shown        integer := cardinality(controls.shown_item_ids);
    origins      integer[];
    ranked_ids   bigint[];
    totals       double precision[];
    boosts       double precision[];
    categories   text[];
    pinned_to    integer[];
    new_ids      bigint[];
    is_new       boolean[];
    vectors      vector[];
    relevance    double precision[];
    nearest      double precision[];
    taken        text[] := '{}';
    crowded      text[] := '{}';
    size         integer;
    first        integer := 1;
    first_new    integer := 1;
    lowest       double precision;
    span         double precision;
    explored     integer := 0;
    explores     boolean := false;
    best         integer;
begin
    select array_agg(c.position::integer), array_agg(c.id), array_agg(c.total), array_agg(c.boost), array_agg(c.category),
        array_agg(c.pinned_to), array_agg(0::double precision)
    into origins, ranked_ids, totals, boosts, categories, pinned_to, nearest
    from (
        select u.position, u.id, t.total, coalesce(a.boost, 1) as boost, i.category, p.place as pinned_to
        from unnest(item_ids, scores) with ordinality u (id, score, position)
        left join recsys.items i on i.id = u.id
        left join unnest(controls.pins) p on p.item_id = u.id and p.place > shown
        left join recsys_api._adjustments(case when is_adjusted then item_ids else '{}' end, controls, user_id) a
            on a.position = u.position
        cross join lateral (select coalesce(a.boost * a.damping * a.rotation, 1) as factor) f
        cross join lateral (select case when u.score < 0 then u.score / f.factor else u.score * f.factor end as total) t
        order by t.total desc, (1 + a.popularity) * a.boost * a.rotation desc, u.position
    ) c;
    size := coalesce(cardinality(totals), 0);
    lowest := totals[size];
    span := nullif(totals[1] - lowest, 0);
    relevance := array(
        select case when span is null then (e.equals - e.number) / e.equals
            when e.below is null then (e.above - lowest) / span * (e.equals - e.number) / e.equals
            else (e.total - lowest - (e.total - e.below) * (e.number - 1) / e.equals) / span end
        from (
            select t.position, t.total, count(*) over equal::double precision as equals,
                row_number() over (equal order by t.position) as number,
                min(t.total) over (order by t.total desc range unbounded preceding exclude group) as above,
                max(t.total) over (order by t.total range unbounded preceding exclude group) as below
            from unnest(totals) with ordinality t (total, position)
            window equal as (partition by t.total)
        ) e
        order by e.position);
    if controls.diversity > 0 then
        vectors := recsys_api._likeness(ranked_ids);
    end if;
    if controls.new_item_share > 0 then
        new_ids := recsys_api._new_items(ranked_ids);
        is_new := array(select u.id = any (new_ids) from unnest(ranked_ids) with ordinality u (id, position)
            order by u.position);
    end if;

    for place in shown + 1 .. shown + n loop
        best := array_position(pinned_to, place);
        -- it came before, where nothing else was left
        best := case when relevance[best] is not null then best end;
        if best is null then
            -- the small number keeps 0.29 of 100 at 29, which floating point makes 28.999…
            explores := floor(controls.new_item_share * place + 1e-9) - floor(controls.new_item_share * shown + 1e-9)
                > explored;
            if controls.diversity > 0 then
                select c.position into best
                from unnest(relevance, nearest, categories, pinned_to, is_new) with ordinality
                    c (relevance, nearest, category, pinned_to, is_new, position)
                where c.relevance is not null and c.pinned_to is null
                    and (c.category is null or c.category <> all (crowded))
                order by case when explores then c.is_new else false end desc,
                    (1 - controls.diversity) * c.relevance - controls.diversity * c.nearest desc, c.position
                limit 1;
            else
                -- who is passed over once is passed over for good, so that all steps together read the candidates once
                while first <= size and (relevance[first] is null or pinned_to[first] is not null
                    or categories[first] = any (crowded)) loop first := first + 1; end loop;
                while explores and first_new <= size and (not is_new[first_new] or relevance[first_new] is null
                    or pinned_to[first_new] is not null or categories[first_new] = any (crowded))
                    loop first_new := first_new + 1; end loop;
                best := case when explores and first_new <= size then first_new when first <= size then first end;
            end if;
            -- a list that ends before a pin's place ends with it
            if best is null then
                select c.position into best
                from unnest(relevance, pinned_to) with ordinality c (relevance, pinned_to, position)
                where c.relevance is not null and c.pinned_to is not null order by c.pinned_to limit 1;
            end if;
            exit when best is null;
        end if;
        places := places || origins[best];
        adjusted := adjusted || totals[best];
        placements := placements || case
            when pinned_to[best] is not null then 'pin'
            when explores and is_new[best] then 'exploration'
            when boosts[best] <> 1 then 'boost'
            else 'score' end;
        explored := explored + (placements[cardinality(placements)] = 'exploration')::integer;
        relevance[best] := null;
        taken := taken || categories[best];
        if cardinality(array_positions(taken, categories[best])) >= controls.max_per_category
            and categories[best] is not null
        then
            crowded := crowded || categories[best];
        end if;
        if controls.diversity > 0 then
            select array_agg(greatest(c.nearest, coalesce(1 - (c.vector <=> vectors[best]), 0)) order by c.position)
            into nearest
            from unnest(nearest, vectors) with ordinality c (nearest, vector, position);
        end if;
    end loop;
end $$;
