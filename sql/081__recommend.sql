-- Private. The one ranking behind recommend_for_user, recommend_for_items and similar_items: from what is known of
-- somebody (past items, the latest first, and what each says, -1 … 1) to n ranked items that pass the filter, filled up by
-- popularity. The filter is that of the controls and what must not be shown again.
--
--   hybrid      inner product of the history's query vector with the item's target, and the residuals, by the active
--               model; with_mean begins the query with what the mean user adds, for a history that is somebody's. What is
--               disliked speaks against items, never for one: where it adds up to more than nothing, it is nothing. Without a
--               model that has item factors, graph score + hybrid.content_weight * content score
--   item_based  graph score: sum over the past items of weight * edge weight
--   user_based  what the users with the nearest tastes liked
--   content     inner product of the taste vector and the item's embedding less the catalogue's mean
--   popular     no personal part, score 0
-- The score of an item is what the history adds to single items (extra) and a product of vectors. Candidates are the best
-- by either; all are scored by both. What fills up is scored by the same formula, popularity deciding among equals: what
-- the past speaks against sinks. Controls other than method, if there are any, then make the list (_rerank) of more
-- candidates than it has rows; without, it is the first n.
create or replace function recsys_api._recommend(
    history_ids      bigint[],
    history_weights  double precision[],
    n                integer,
    filter           recsys_api.filter,
    controls         recsys_api._controls,
    user_id          bigint,
    with_mean        boolean default true
)
returns table (rank bigint, item_id bigint, score double precision, reason text, reason_item_id bigint, placement text)
language plpgsql stable rows 20
set search_path from current
set jit = off
as $$
#variable_conflict use_column
declare
    conditions      text := recsys_api._filter_conditions(filter);
    content_weight  double precision := recsys_api._setting('hybrid.content_weight');
    narrowed        boolean := filter is distinct from recsys_api._exclude(null, (filter).exclude_item_ids);
    method          text := controls.method;
    is_steered      boolean := controls.diversity > 0 or controls.popularity_damping > 0 or controls.rotation > 0
        or controls.new_item_share > 0 or num_nonnulls(controls.max_per_category, controls.boosts, controls.pins) > 0;
    pool            integer := n;
    model           record;
    has_factors     boolean;
    query           vector;
    mean            vector;
    disliked        vector;
    has_dislikes    boolean;
    center_score    double precision := 0;
    -- one look into an index for each of some hundred rows, whatever the planner thinks of how many they are
    item_of         constant text := 'cross join lateral (select i.* from recsys.items i where i.id = %s offset 0) item';
    nothing         constant text := 'select 0::bigint as item_id, 0::double precision as score where false';
    -- SQL: what the history adds to single items; over item, the product of vectors and what it needs; and the items that
    -- it is largest for
    extra           text := nothing;
    adds            boolean := false;
    product         text := '0';
    factors         text := '';
    nearest         text := nothing;
    candidates      text;
    ids             bigint[] := '{}';
    scores          double precision[] := '{}';
    supporters      integer[];
    personal        integer;
    -- all that pass the filter, where these are few
    few             bigint[];
    breadth         integer;
    further         bigint[];
    places          integer[];
    adjusted        double precision[];
    placements      text[];
begin
    if is_steered then
        -- what was shown lately makes room for as many others
        pool := least(1000, greatest(100, 5 * n) + case when controls.rotation > 0 then (
            select count(*) from recsys.impressions s where s.user_id = _recommend.user_id) else 0 end);
    end if;

    select m.id, m.decays into model from recsys.models m where m.purpose = 'collaborative' and m.is_active;
    has_factors := method = 'hybrid' and model.decays is not null;
    if method <> 'popular' and cardinality(history_ids) > 0 then
        if has_factors then
            query := recsys_api._factor_query(model.id, model.decays, history_ids, history_weights);
            if with_mean then
                mean := recsys_api._mean_query(model.id, history_weights);
                query := coalesce(query + mean, query, mean);
            end if;
            adds := true;
            extra := format('select r.item_id, r.score from recsys_api._residual_scores(%s, %L, $3, $4) r',
                model.id, model.decays);
            has_dislikes := 0 > any (history_weights);
            if query is not null or has_dislikes then
                product := 'coalesce(-(f.target::vector <#> $2), 0)';
                factors := format('left join lateral (select f.target from recsys.item_factors f
                    where f.model_id = %s and f.item_id = item.id offset 0) f on true', model.id);
            end if;
            if has_dislikes then
                disliked := recsys_api._factor_query(model.id, model.decays, history_ids, history_weights, true);
                product := product || ' + least(0, coalesce(-(f.target::vector <#> $12), 0) + coalesce(against.score, 0))';
                factors := factors || format(' left join recsys_api._residual_scores(%s, %L, $3, $4, true) against
                    on against.item_id = item.id', model.id, model.decays);
            end if;
            if query is not null then
                -- of those that speak for an item, some have more against it
                nearest := format(
                    'select s.item_id, s.score from recsys_api._nearest_factors(
                        $2, least(1000, greatest(%s, %s * $8)), $8, $1, %s, $9, $10) s',
                    case when has_dislikes then 100 else 50 end, case when has_dislikes then 5 else 3 end, model.id);
                if narrowed then
                    select p.ids, p.breadth into few, breadth from recsys_api._few_passing(filter, pool) p;
                end if;
            end if;
        else
            if method <> 'item_based' then
                query := recsys_api._taste(history_ids, history_weights);
            end if;
            if method in ('hybrid', 'item_based') then
                adds := true;
                extra := 'select g.item_id, g.score from recsys_api._graph_scores($3, $4) g';
            end if;
            if query is not null and method <> 'user_based' then
                center_score := coalesce((select -(m.center <#> query) from recsys.models m
                    where m.purpose = 'embedding' and m.is_active), 0);
                product := case method when 'hybrid' then '$5 * ' else '' end
                    || 'coalesce(-(item.embedding <#> $2) - $6, 0)';
                nearest := case method when 'hybrid' then
                    'select s.item_id, 0 as score from recsys_api._nearest_items($2, least(1000, greatest(20, 2 * $8)), $1) s'
                    else 'select s.item_id, 0 as score from recsys_api._nearest_items($2, least(1000, $8), $1) s' end;
            end if;
        end if;
        candidates := case
            -- that something is disliked is no reason for anything else
            when not 0 < any (history_weights) then null
            when method = 'user_based' then
                'select s.item_id, s.score, s.users as supporters from recsys_api._user_based_scores($2, $7) s'
            when adds or nearest <> nothing then format(
                'select c.item_id, e.score, null::integer as supporters from (%s) c left join extra e on e.item_id = c.item_id',
                concat_ws(' union ',
                    case when adds then format(
                        -- the filter before the cut, so that it cuts what passes
                        '(select e.item_id
                          from (select e.item_id, e.score from extra e where e.score > %s
                                order by e.score desc, e.item_id) e %s
                          where e.item_id <> all (($1).exclude_item_ids) %s
                          order by e.score desc, e.item_id
                          limit greatest(200, 10 * $8))',
                        case when has_factors and not has_dislikes then '(select b.least from bound b)' else '0' end,
                        case when few is null and narrowed then format(item_of, 'e.item_id') end,
                        case when few is not null then 'and e.item_id = any ($9)' when narrowed then conditions end) end,
                    'select n.item_id from near n'))
        end;
    end if;

    if candidates is not null then
        execute format(
            'with extra as materialized (%s), near as materialized (%s),
             -- who is not among the nearest needs about so much besides to be among the first; compared with the second n of
             -- them, not with the last, as the search overlooks some
             bound as materialized (
                 select greatest(0, (
                     select n.score + coalesce(e.score, 0) as total
                     from near n left join extra e on e.item_id = n.item_id
                     order by total desc offset $8 - 1 limit 1) - greatest(0, (
                     select min(s.score) from (
                         select n.score from near n order by n.score desc limit 2 * $8) s))) as least
             )
             select array_agg(r.id order by r.score desc, r.id), array_agg(r.score order by r.score desc, r.id),
                 array_agg(r.supporters order by r.score desc, r.id)
             from (select item.id, coalesce(c.score, 0) + %s as score, c.supporters
                   from (%s) c %s %s
                   where true %s) r
             where r.score > 0', extra, nearest, product, candidates, format(item_of, 'c.item_id'), factors,
            conditions)
        into ids, scores, supporters
        using filter, query, history_ids, history_weights, content_weight, center_score, user_id, pool, few, breadth,
            further, disliked;
        ids := ids[:pool];
        scores := scores[:pool];
        supporters := supporters[:pool];
    end if;
    ids := coalesce(ids, '{}');
    scores := coalesce(scores, '{}');
    personal := cardinality(ids);

    if is_steered then
        further := recsys_api._further_candidates(ids, n, pool - personal, filter, controls);
    end if;
    if personal < pool or cardinality(further) > 0 then
        execute format(
            'select $9 || array_agg(f.item_id order by f.score desc, f.position),
                 $10 || array_agg(f.score order by f.score desc, f.position)
             from (
                 select p.item_id, p.position, coalesce(e.score, 0) + %s as score
                 from %s
                 left join (%s) e on e.item_id = p.item_id
                 %s %s
                 order by score desc, p.position
                 limit $7
             ) f', product,
            case when is_steered then 'unnest($11) with ordinality p (item_id, position)'
                else 'recsys_api._popular_items($8, recsys_api._exclude($1, $9)) with ordinality
                     p (item_id, popularity, position)' end, extra, format(item_of, 'p.item_id'), factors)
        into ids, scores
        using filter, query, history_ids, history_weights, content_weight, center_score,
            case when is_steered then null else pool - personal end,
            case when product <> '0' or adds then least(1000, greatest(200, pool - personal))
                else pool - personal end,
            ids, scores, further, disliked;
        ids := coalesce(ids, '{}');
        scores := coalesce(scores, '{}');
    end if;

    if is_steered then
        select r.places, r.adjusted, r.placements into places, adjusted, placements
        from recsys_api._rerank(ids, scores, n, controls, user_id) r;
    else
        places := array(select p from generate_series(1, least(n, cardinality(ids))) p);
    end if;

    return query
    with chosen as materialized (
        select d.position, ids[d.place] as item_id, coalesce(d.adjusted, scores[d.place]) as score, d.placement,
            d.place, d.place <= personal or is_steered and scores[d.place] > 0 as is_personal,
            -- most of the score is what the mean user would have
            mean is not null and 2 * -(f.target::vector <#> mean) >= scores[d.place] as is_common,
            coalesce(f.is_learned, not has_factors) as is_known
        from unnest(places, adjusted, placements) with ordinality d (place, adjusted, placement, position)
        left join lateral (select f.target, f.is_learned from recsys.item_factors f
            where has_factors and f.model_id = model.id and f.item_id = ids[d.place] offset 0) f on true
    ),
    causes as materialized (
        select distinct on (c.target_item_id) c.target_item_id, c.item_id, c.graph >= c.content as by_graph
        from recsys_api._contributions(history_ids, history_weights,
            (select array_agg(h.item_id) from chosen h where h.is_personal and h.is_common is not true), has_factors) c
        join unnest(history_ids, history_weights) h (item_id, weight) on h.item_id = c.item_id and h.weight > 0
        cross join lateral (select case method when 'content' then c.content when 'item_based' then c.graph
            else c.graph + c.content end as share) s
        where method <> 'user_based' and s.share > 0
        order by c.target_item_id, s.share desc, c.item_id
    )
    select cardinality(controls.shown_item_ids) + c.position, c.item_id, c.score,
        case
            when c.placement = 'pin' then 'pinned'
            when method = 'user_based' and c.place <= personal then format(
                'liked by %s of the users with the nearest taste', supporters[c.place])
            when t.id = c.item_id then 'from your own history'
            when t.id is not null and method <> 'content' and b.by_graph and c.is_known and (not has_factors
                or exists (select from recsys.item_factors f
                    where f.model_id = model.id and f.item_id = b.item_id and f.is_learned)) then
                format('liked by people who liked "%s"', left(t.title, 100))
            when t.id is not null then format('similar to "%s"', left(t.title, 100))
            when exists (select from recsys.item_popularity p where p.item_id = c.item_id) then 'popular'
            else 'new'
        end,
        case when c.placement is distinct from 'pin' then t.id end, coalesce(c.placement, 'score')
    from chosen c
    left join causes b on b.target_item_id = c.item_id
    left join recsys.items t on t.id = b.item_id
    order by c.position;
end $$;
