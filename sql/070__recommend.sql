-- Private. The one ranking behind recommend_for_user, recommend_for_items and similar_items: from what is known of
-- somebody (past items and what each says, -1 … 1) to n ranked items that pass the filter, filled up by popularity.
--
--   hybrid      graph score + hybrid.content_weight * content score, over the best of the item graph and the
--               nearest by content
--   item_based  graph score: sum over the past items of weight * edge weight
--   user_based  what the users with the nearest tastes liked
--   content     inner product of the taste vector and the item's embedding less the catalogue's mean
--   popular     no personal part, score 0
-- What fills up is scored by the same formula, popularity deciding among equals: what the past speaks against sinks.
create or replace function recsys_api._recommend(
    history_ids      bigint[],
    history_weights  double precision[],
    n                integer,
    filter           recsys_api.filter,
    diversity        double precision,
    method           text,
    user_id          bigint
)
returns table (rank bigint, item_id bigint, score double precision, reason text, reason_item_id bigint)
language plpgsql stable rows 20
set search_path from current
set jit = off
as $$
#variable_conflict use_column
declare
    conditions      text := recsys_api._filter_conditions(filter);
    content_weight  double precision := recsys_api._setting('hybrid.content_weight');
    narrowed        boolean := filter is distinct from recsys_api._exclude(null, (filter).exclude_item_ids);
    pool            integer := case when diversity > 0 then least(1000, greatest(100, 5 * n)) else n end;
    taste           vector;
    center_score    double precision := 0;
    candidates      text;
    ids             bigint[] := '{}';
    scores          double precision[] := '{}';
    supporters      integer[];
    personal        integer;
    -- whether the past says anything about what fills up
    scored          boolean := method in ('hybrid', 'item_based', 'content') and cardinality(history_ids) > 0;
begin
    if method is null or method not in ('hybrid', 'item_based', 'user_based', 'content', 'popular') then
        raise exception using errcode = 'RS010',
            message = format('method is %s', coalesce(quote_literal(left(method, 100)), 'NULL')),
            hint = 'Pass hybrid, item_based, user_based, content or popular.';
    end if;
    if diversity is null or not diversity between 0 and 1 then
        raise exception using errcode = 'RS010',
            message = format('diversity is %s, not between 0 and 1', coalesce(diversity::text, 'NULL')),
            hint = '0 ranks by score alone, 1 by difference alone.';
    end if;

    if method <> 'popular' and 0 < any (history_weights) then
        if method <> 'item_based' then
            taste := recsys_api._taste(history_ids, history_weights);
            center_score := coalesce((select -(m.center <#> taste) from recsys.models m
                where m.purpose = 'embedding' and m.is_active), 0);
        end if;
        candidates := case
            when method = 'user_based' then
                'select s.item_id, s.score, s.users from recsys_api._user_based_scores($2, $7) s'
            when method = 'content' and taste is not null then
                'select s.item_id, 1 - s.distance - $6, null::integer
                 from recsys_api._nearest_items($2, least(1000, $8), $1) s'
            when method in ('hybrid', 'item_based') then format(
                'select c.item_id, coalesce(g.score, 0) %s, null::integer
                 from (select g.item_id from (select g.item_id from graph g %s
                                              where g.score > 0 and g.item_id <> all (($1).exclude_item_ids) %s
                                              order by g.score desc, g.item_id limit greatest(200, 10 * $8)) g
                       %s) c
                 left join graph g on g.item_id = c.item_id
                 join recsys.items item on item.id = c.item_id',
                case when taste is not null then '+ $5 * coalesce(-(item.embedding <#> $2) - $6, 0)' end,
                -- before the cut, so that it cuts what passes
                case when narrowed then 'join recsys.items item on item.id = g.item_id' end,
                case when narrowed then conditions end,
                case when taste is not null then
                    'union select s.item_id from recsys_api._nearest_items($2, least(1000, greatest(20, 2 * $8)), $1) s'
                end)
        end;
    end if;

    if candidates is not null then
        execute format(
            'with graph as materialized (select s.item_id, s.score from recsys_api._graph_scores($3, $4) s),
                  candidates (item_id, score, supporters) as (%s)
             select array_agg(r.id order by r.score desc, r.id), array_agg(r.score order by r.score desc, r.id),
                 array_agg(r.supporters order by r.score desc, r.id)
             from (select item.id, c.score, c.supporters
                   from candidates c join recsys.items item on item.id = c.item_id
                   where c.score > 0 %s order by c.score desc, item.id limit $8) r', candidates, conditions)
        into ids, scores, supporters
        using filter, taste, history_ids, history_weights, content_weight, center_score, user_id, pool;
    end if;
    ids := coalesce(ids, '{}');
    scores := coalesce(scores, '{}');
    personal := cardinality(ids);

    if personal < pool then
        select ids || array_agg(f.item_id order by f.score desc, f.position),
            scores || array_agg(f.score order by f.score desc, f.position)
        into ids, scores
        from (
            select p.item_id, p.position,
                coalesce(g.score, 0)
                + case when method in ('hybrid', 'content') and taste is not null
                    then case method when 'hybrid' then content_weight else 1 end
                        * coalesce(-(i.embedding <#> taste) - center_score, 0)
                    else 0 end as score
            from recsys_api._popular_items(
                case when scored then least(1000, greatest(200, pool - personal)) else pool - personal end,
                recsys_api._exclude(filter, ids)) with ordinality p (item_id, popularity, position)
            join recsys.items i on i.id = p.item_id
            left join recsys_api._graph_scores(history_ids, history_weights) g
                on method in ('hybrid', 'item_based') and scored and g.item_id = p.item_id
            order by score desc, p.position
            limit pool - personal
        ) f;
        ids := coalesce(ids, '{}');
        scores := coalesce(scores, '{}');
    end if;

    return query
    with chosen as materialized (
        select d.position, d.item_id, c.score, c.position as original_position
        from unnest(case when diversity > 0 then recsys_api._diversify(ids, scores, n, diversity) else ids[:n] end)
            with ordinality d (item_id, position)
        join unnest(ids, scores) with ordinality c (item_id, score, position) on c.item_id = d.item_id
    ),
    causes as materialized (
        select distinct on (c.target_item_id) c.target_item_id, c.item_id, c.graph >= c.content as by_graph
        from recsys_api._contributions(history_ids, history_weights,
            (select array_agg(h.item_id) from chosen h where h.original_position <= personal)) c
        join unnest(history_ids, history_weights) h (item_id, weight) on h.item_id = c.item_id and h.weight > 0
        cross join lateral (select case method when 'content' then c.content when 'item_based' then c.graph
            else c.graph + c.content end as share) s
        where method <> 'user_based' and s.share > 0
        order by c.target_item_id, s.share desc, c.item_id
    )
    select c.position, c.item_id, c.score,
        case
            when method = 'user_based' and c.original_position <= personal then format(
                'liked by %s of the users with the nearest taste', supporters[c.original_position])
            when t.id is not null and method <> 'content' and b.by_graph then
                format('liked by people who liked "%s"', left(t.title, 100))
            when t.id is not null then format('similar to "%s"', left(t.title, 100))
            when exists (select from recsys.item_popularity p where p.item_id = c.item_id) then 'popular'
            else 'new'
        end,
        t.id
    from chosen c
    left join causes b on b.target_item_id = c.item_id
    left join recsys.items t on t.id = b.item_id
    order by c.position;
end $$;
