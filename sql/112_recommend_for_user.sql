-- What to show to a user next.
--
-- Arguments
--   user_id       the user
--   n             length of the list, 1 to 1,000; n rows come back whenever n items may be shown
--   filter        recsys_api.item_filter(…)
--   exclude_seen  leave out what the user has consumed (purchase, like, rating); hidden items always stay out
--   diversity     0 ranks by score alone; towards 1 the items differ more and more from each other
--   method        hybrid; or one part of it, to compare: item_based, user_based, content, popular
-- Order: rank. score is the predicted preference, comparable within one call; 0 for items listed by popularity.
-- reason says why; reason_item_id is the past item that contributed most.
-- Errors: RS001 for an unknown user; RS010 for n, diversity or method; RS013 for a rule that is unknown
-- or broken.
-- Example: select rank, title, score, reason from recsys_api.recommend_for_user(42, n => 10,
--              filter => recsys_api.item_filter(categories => '{Drama}', in_stock => true));
create or replace function recsys_api.recommend_for_user(
    user_id       bigint,
    n             integer default 10,
    filter        recsys_api.filter default null,
    exclude_seen  boolean default true,
    diversity     double precision default 0,
    method        text default 'hybrid'
)
returns setof recsys_api.recommendation
language plpgsql stable rows 20
set search_path from current
as $$
declare
    history_ids      bigint[];
    history_weights  double precision[];
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_user(recommend_for_user.user_id);
    select coalesce(array_agg(h.item_id order by h.position), '{}'), coalesce(array_agg(h.weight order by h.position), '{}')
    into history_ids, history_weights
    from recsys_api._history(recommend_for_user.user_id) with ordinality h (item_id, weight, occurred_at, position);
    return query
        select r.rank, i.id, i.external_id, i.title, i.category, i.price, i.in_stock, r.score, r.reason,
            r.reason_item_id
        from recsys_api._recommend(history_ids, history_weights, recommend_for_user.n,
            recsys_api._exclude(recommend_for_user.filter,
                recsys_api._hidden_items(recommend_for_user.user_id, coalesce(exclude_seen, true))),
            recommend_for_user.diversity, recommend_for_user.method, recommend_for_user.user_id) r
        join recsys.items i on i.id = r.item_id
        order by r.rank;
end $$;
