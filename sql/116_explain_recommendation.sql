-- Which past interactions speak for or against an item, and how much.
--
-- Arguments: user_id, item_id.
-- One row a past item that contributes; contribution = graph + content, and their sum is the score of method hybrid.
--   graph    what the active model has learned of the past item
--   content  what the similarity of the texts tells, as long as there is no model with item factors
-- Order: contribution, highest first. No row: nothing in the user's history speaks of the item.
-- Errors: RS001, RS002 for an unknown user or item.
-- Example: select title, contribution from recsys_api.explain_recommendation(42, 50);
create or replace function recsys_api.explain_recommendation(user_id bigint, item_id bigint)
returns setof recsys_api.contribution
language plpgsql stable rows 20
set search_path from current
as $$
begin
    perform recsys_api._check_user(explain_recommendation.user_id);
    perform recsys_api._check_items(array[explain_recommendation.item_id]);
    return query
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
        order by c.graph + c.content desc, i.id;
end $$;
