-- Private. What each item of a history contributes to the hybrid score of each target item; their sum is the score. What is
-- disliked speaks against items, never for one: of what contributes more than nothing together, nothing. Not by
-- factors, it is what the item graph and the texts say.
--   graph    what people tell: by the item factors and residuals of the active model, at all its time scales; or, without
--            factors, weight * edge weight of the item graph, of a dislike along positive edges only
--   content  without item factors, setting hybrid.content_weight * the past item's share of the product of taste and target
create or replace function recsys_api._contributions(
    item_ids bigint[], weights double precision[], target_item_ids bigint[], by_factors boolean default true)
returns table (target_item_id bigint, item_id bigint, graph double precision, content double precision)
language plpgsql stable rows 500
set search_path from current
set jit = off
as $$
#variable_conflict use_column
declare
    model record;
begin
    select m.id, m.decays into model from recsys.models m where m.purpose = 'collaborative' and m.is_active;
    if by_factors and model.decays is not null then
        return query
        -- one look into the index for each, whatever the planner thinks of how many they are
        with history as materialized (
            select s.item_id, s.share, f.history[s.scale] as vector, r.neighbor_ids, r.weights
            from recsys_api._shares(model.decays, _contributions.item_ids, _contributions.weights) s
            left join lateral (
                select f.history from recsys.item_factors f where f.model_id = model.id and f.item_id = s.item_id offset 0
            ) f on true
            left join lateral (
                select r.neighbor_ids[:s.entries] as neighbor_ids, r.weights from recsys.item_residuals r
                where r.model_id = model.id and r.item_id = s.item_id and r.scale = s.scale
                offset 0
            ) r on true
        ),
        targets as materialized (
            select t.id, (select f.target from recsys.item_factors f where f.model_id = model.id and f.item_id = t.id) as vector
            from unnest(target_item_ids) t (id)
        )
        select c.target_id, c.item_id,
            case when c.is_disliked and sum(c.score) filter (where c.is_disliked) over (partition by c.target_id) > 0
                then 0 else c.score end,
            0::double precision
        from (
            select t.id as target_id, h.item_id, h.share < 0 as is_disliked,
                sum(h.share * (coalesce(-(h.vector <#> t.vector), 0)
                    + coalesce(h.weights[array_position(h.neighbor_ids, t.id)], 0))) as score
            from targets t
            cross join history h
            group by t.id, h.item_id, h.share < 0
        ) c;
        return;
    end if;
    return query
    with center as materialized (
        select m.center from recsys.models m where m.purpose = 'embedding' and m.is_active
    ),
    history as materialized (
        select h.item_id, h.weight, n.neighbor_ids, n.weights,
            case when c.center is null then i.embedding else i.embedding - c.center end as vector
        from unnest(item_ids, weights) h (item_id, weight)
        left join center c on true
        left join recsys.items i on i.id = h.item_id
        left join recsys.item_neighbors n on n.model_id = model.id and n.item_id = h.item_id
        where h.weight <> 0
    ),
    targets as materialized (
        select i.id, case when c.center is null then i.embedding else i.embedding - c.center end as vector
        from recsys.items i left join center c on true
        where i.id = any (target_item_ids)
    ),
    taste as materialized (
        select recsys_api._taste(item_ids, weights) as direction
    ),
    scale as materialized (
        -- the weighted sum of the vectors, projected on its own direction, is its length, by which taste is divided
        select recsys_api._setting('hybrid.content_weight')
            / nullif(sum(h.weight * -(h.vector <#> t.direction)), 0) as factor
        from history h cross join taste t
        where h.vector is not null
    )
    select t.id, h.item_id,
        case when h.weight > 0 or e.weight > 0 then h.weight * e.weight else 0 end,
        coalesce(s.factor * h.weight * -(h.vector <#> t.vector), 0)
    from targets t
    cross join history h
    cross join lateral (select coalesce(h.weights[array_position(h.neighbor_ids, t.id)], 0) as weight) e
    cross join scale s;
end $$;
