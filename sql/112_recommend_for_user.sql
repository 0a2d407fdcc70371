-- What to show to a user next.
--
-- Arguments
--   user_id             the user
--   n                   length of the list, 1 to 1,000; n rows come back whenever n items may be shown
--   filter              recsys_api.item_filter(…)
--   exclude_seen        leave out what the user has consumed (purchase, like, rating), which is the default; hidden items
--                       always stay out
--   diversity           0 ranks by score alone; towards 1 the items differ more and more from each other
--   method              hybrid; or one part of it, to compare: item_based, user_based, content, popular
--   scenario            a name of recsys_api.define_scenario, which says what is left out here; its filter holds too
--   max_per_category    rows of one category at most; with it, n rows come back if categories enough have items
--   popularity_damping  0 … 1: scores are divided by (1 + popularity) ^ popularity_damping, so that less known items rise
--   rotation            0 … 1: how far what recsys_api.record_impressions noted sinks just after it was shown
--   rotation_half_life  the time after which it sinks half as far; one day if left out
--   new_item_share      0 … 1: share of the places that are first offered to items that few know yet
--   shown_item_ids      for the next page: what the pages before showed, which is left out; ranks, pins and
--                       new_item_share count on
-- Order: rank. score is the predicted preference, comparable within one call, times what boosts, popularity_damping and
-- rotation make of it; 0 for items listed by popularity alone. reason says why; reason_item_id is the past item that contributed
-- most. placement says what put the item there: score, boost, pin, or exploration (new_item_share).
-- Errors: RS001 for an unknown user; RS010 for what is out of range; RS013 for a rule that is unknown or broken; RS014 for an
-- unknown scenario.
-- Example: select rank, title, score, reason from recsys_api.recommend_for_user(42, n => 10,
--              filter => recsys_api.item_filter(categories => '{Drama}', in_stock => true));
create or replace function recsys_api.recommend_for_user(
    user_id             bigint,
    n                   integer default 10,
    filter              recsys_api.filter default null,
    exclude_seen        boolean default null,
    diversity           double precision default null,
    method              text default null,
    scenario            text default null,
    max_per_category    integer default null,
    popularity_damping  double precision default null,
    rotation            double precision default null,
    rotation_half_life  interval default null,
    new_item_share      double precision default null,
    shown_item_ids      bigint[] default null
)
returns setof recsys_api.recommendation
language plpgsql stable rows 20
set search_path from current
as $$
declare
    history_ids      bigint[];
    history_weights  double precision[];
    controls         recsys_api._controls;
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_user(recommend_for_user.user_id);
    controls := recsys_api._resolve_controls(scenario, row(filter, method, exclude_seen, diversity, max_per_category,
        popularity_damping, rotation, rotation_half_life, new_item_share, null, null, shown_item_ids)::recsys_api._controls);
    select coalesce(array_agg(h.item_id order by h.position), '{}'), coalesce(array_agg(h.weight order by h.position), '{}')
    into history_ids, history_weights
    from recsys_api._history(recommend_for_user.user_id) with ordinality h (item_id, weight, occurred_at, position);
    return query
        select r.rank, i.id, i.external_id, i.title, i.category, i.price, i.in_stock, r.score, r.reason,
            r.reason_item_id, r.placement
        from recsys_api._recommend(history_ids, history_weights, recommend_for_user.n,
            recsys_api._exclude(controls.filter,
                recsys_api._hidden_items(recommend_for_user.user_id, controls.exclude_seen) || controls.shown_item_ids),
            controls, recommend_for_user.user_id) r
        join recsys.items i on i.id = r.item_id
        order by r.rank;
end $$;
