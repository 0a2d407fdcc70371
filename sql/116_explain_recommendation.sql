-- Which past interactions speak for or against an item, and how much.
--
-- Arguments: user_id, item_id; scenario, popularity_damping, rotation, rotation_half_life, as in the call of
-- recommend_for_user that is to be explained.
-- One row a past item that contributes; contribution = graph + content, and their sum is the score of method hybrid.
--   graph    what the active model has learned of the past item
--   content  what the similarity of the texts tells, as long as there is no model with item factors
-- Then one row for each of boost, popularity damping and rotation that changes the score, in this order: item_id and
-- occurred_at are NULL, title is its name, weight the factor, contribution what it adds to the score so far. So the
-- contributions still sum to the score. Diversity, limits, pins and new_item_share change places and no score.
-- Order: past items by contribution, highest first, then the changes. No row: nothing in the history speaks of the item.
-- Errors: RS001, RS002 for an unknown user or item; RS010 for what is out of range; RS014 for an unknown scenario.
-- Example: select title, contribution from recsys_api.explain_recommendation(42, 50);
create or replace function recsys_api.explain_recommendation(
    user_id             bigint,
    item_id             bigint,
    scenario            text default null,
    popularity_damping  double precision default null,
    rotation            double precision default null,
    rotation_half_life  interval default null
)
returns setof recsys_api.contribution
language plpgsql stable rows 20
set search_path from current
as $$
#variable_conflict use_column
declare
    controls  recsys_api._controls;
    total     double precision;
    part      recsys_api.contribution;
    change    record;
begin
    perform recsys_api._check_user(explain_recommendation.user_id);
    perform recsys_api._check_items(array[explain_recommendation.item_id]);
    controls := recsys_api._resolve_controls(explain_recommendation.scenario, row(null, null, null, null, null,
        explain_recommendation.popularity_damping, explain_recommendation.rotation,
        explain_recommendation.rotation_half_life, null, null, null, null)::recsys_api._controls);
    total := 0;
    for part in
        with history as materialized (
            select h.* from recsys_api._history(explain_recommendation.user_id) with ordinality
                h (item_id, weight, occurred_at, position)
        )
        select i.id, i.title, h.weight, h.occurred_at, c.graph + c.content, c.graph, c.content
        from recsys_api._contributions(
            (select array_agg(h.item_id order by h.position) from history h),
            (select array_agg(h.weight order by h.position) from history h),
            array[explain_recommendation.item_id]) c
        join history h on h.item_id = c.item_id
        join recsys.items i on i.id = c.item_id
        where c.graph <> 0 or c.content <> 0
        order by c.graph + c.content desc, i.id
    loop
        total := total + part.contribution;
        return next part;
    end loop;

    for change in
        select f.name, f.factor, case when total < 0 then 1 / f.factor else f.factor end as effect
        from recsys_api._adjustments(
            array[explain_recommendation.item_id], controls, explain_recommendation.user_id) a
        cross join lateral (values
            (1, 'boost', a.boost), (2, 'popularity damping', a.damping), (3, 'rotation', a.rotation)
        ) f (place, name, factor)
        where f.factor <> 1 and total <> 0
        order by f.place
    loop
        part := row(null, change.name, change.factor, null, total * (change.effect - 1), 0, 0)::recsys_api.contribution;
        return next part;
        total := total * change.effect;
    end loop;
end $$;
