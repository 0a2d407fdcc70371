-- Which past interactions speak for or against an item, and how much.
--
-- Arguments: user_id, item_id; scenario, popularity_damping, rotation, rotation_half_life, as in the call of
-- recommend_for_user that is to be explained.
-- One row a past item that contributes; contribution = graph + content, and their sum is the score of method hybrid.
--   graph    what the active model has learned of the past item
--   content  what the similarity of the texts tells, as long as there is no model with item factors
-- Then a row "what most people like", where the model has learned that it helps: weight is what it counts, the less, the
-- more is known of the user. Then one row for each of boost, popularity damping and rotation that changes the score, in
-- this order: weight is the factor, contribution what it adds to the score so far. Of these rows title is the name, item_id
-- and occurred_at are NULL. So the contributions still sum to the score. Diversity, limits, pins and new_item_share change
-- places and no score.
-- Order: past items by contribution, highest first, then the others. No row: nothing in the history speaks of the item.
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
    history   record;
    part      recsys_api.contribution;
    change    record;
begin
    perform recsys_api._check_user(explain_recommendation.user_id);
    perform recsys_api._check_items(array[explain_recommendation.item_id]);
    controls := recsys_api._resolve_controls(explain_recommendation.scenario, row(null, null, null, null, null,
        explain_recommendation.popularity_damping, explain_recommendation.rotation,
        explain_recommendation.rotation_half_life, null, null, null, null)::recsys_api._controls);
    total := 0;
    select array_agg(h.item_id order by h.position) as ids, array_agg(h.weight order by h.position) as weights,
        array_agg(h.occurred_at order by h.position) as times
    into history
    from recsys_api._history(explain_recommendation.user_id) with ordinality h (item_id, weight, occurred_at, position);
    for part in
        select i.id, i.title, h.weight, h.occurred_at, c.graph + c.content, c.graph, c.content
        from recsys_api._contributions(history.ids, history.weights, array[explain_recommendation.item_id]) c
        join unnest(history.ids, history.weights, history.times) h (item_id, weight, occurred_at) on h.item_id = c.item_id
        join recsys.items i on i.id = c.item_id
        where c.graph <> 0 or c.content <> 0
        order by c.graph + c.content desc, i.id
    loop
        total := total + part.contribution;
        return next part;
    end loop;

    for part in
        select null, 'what most people like', recsys_api._mean_share(m.fade, history.weights),
            null, s.score, s.score, 0
        from recsys.models m
        join recsys.item_factors f on f.model_id = m.id and f.item_id = explain_recommendation.item_id
        cross join lateral (
            select -(f.target::vector <#> recsys_api._mean_query(m.id, history.weights)) as score) s
        where m.purpose = 'collaborative' and m.is_active and s.score <> 0
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
