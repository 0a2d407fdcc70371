-- What to show beside a basket, or to an anonymous visitor who looked at these items.
--
-- Arguments: item_ids, the latest last, each liked equally, never listed themselves; none at all gives popular items;
-- n, the length of the list, 1 to 1,000; filter, recsys_api.item_filter(…).
-- Order: rank; columns as in recommend_for_user.
-- Errors: RS002 for an unknown item; RS010 for n or a NULL id; RS013 for a rule that is unknown or broken.
-- Example: select title, reason from recsys_api.recommend_for_items(array[1, 50], n => 5);
create or replace function recsys_api.recommend_for_items(
    item_ids bigint[], n integer default 10, filter recsys_api.filter default null)
returns setof recsys_api.recommendation
language plpgsql stable rows 20
set search_path from current
as $$
declare
    -- the latest first
    distinct_ids bigint[] := (select array_agg(g.id order by g.position desc)
        from (select u.id, max(u.position) as position
              from unnest(recommend_for_items.item_ids) with ordinality u (id, position) group by u.id) g);
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_items(recommend_for_items.item_ids);
    distinct_ids := coalesce(distinct_ids, '{}');
    return query
        select r.rank, i.id, i.external_id, i.title, i.category, i.price, i.in_stock, r.score, r.reason,
            r.reason_item_id
        from recsys_api._recommend(distinct_ids, array_fill(1::double precision, array[cardinality(distinct_ids)]),
            recommend_for_items.n, recsys_api._exclude(recommend_for_items.filter, distinct_ids), 0, 'hybrid', null) r
        join recsys.items i on i.id = r.item_id
        order by r.rank;
end $$;
