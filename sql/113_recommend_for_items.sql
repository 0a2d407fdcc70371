-- What to show beside a basket, or to an anonymous visitor who looked at these items.
--
-- Arguments
--   item_ids  the items, the latest last; never listed themselves; none at all gives popular items
--   n         length of the list, 1 to 1,000
--   filter    recsys_api.item_filter(…)
--   weights   how much each of the items counts, -1 (disliked) to 1, as many as item_ids; left out, all count 1
--   scenario, diversity, max_per_category, popularity_damping, new_item_share, shown_item_ids
--             as in recommend_for_user; a scenario's method, exclude_seen and rotation need a user, and do nothing here
-- Order: rank; columns as in recommend_for_user.
-- Errors: RS002 for an unknown item; RS010 for a NULL id and what is out of range; RS013 for a rule that is unknown or
-- broken; RS014 for an unknown scenario.
-- Example: select title, reason from recsys_api.recommend_for_items(array[1, 50], n => 5, weights => array[0.3, 1]);
create or replace function recsys_api.recommend_for_items(
    item_ids            bigint[],
    n                   integer default 10,
    filter              recsys_api.filter default null,
    weights             double precision[] default null,
    scenario            text default null,
    diversity           double precision default null,
    max_per_category    integer default null,
    popularity_damping  double precision default null,
    new_item_share      double precision default null,
    shown_item_ids      bigint[] default null
)
returns setof recsys_api.recommendation
language plpgsql stable rows 20
set search_path from current
as $$
declare
    distinct_ids     bigint[];
    distinct_weights double precision[];
    controls         recsys_api._controls;
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_items(recommend_for_items.item_ids);
    if weights is not null and cardinality(weights) is distinct from coalesce(cardinality(item_ids), 0) then
        raise exception using errcode = 'RS010',
            message = format('there are %s weights for %s items', cardinality(weights),
                coalesce(cardinality(item_ids), 0)),
            hint = 'Pass one weight an item, or leave them out.';
    end if;
    if exists (select from unnest(weights) w (weight) where w.weight is null or not w.weight between -1 and 1) then
        raise exception using errcode = 'RS010',
            message = format('a weight is %s, not between -1 and 1', (
                select coalesce(w.weight::text, 'NULL') from unnest(weights) w (weight)
                where w.weight is null or not w.weight between -1 and 1 limit 1)),
            hint = '1 is liked as much as can be, -1 disliked.';
    end if;
    controls := recsys_api._resolve_controls(scenario, row(filter, null, null, diversity, max_per_category,
        popularity_damping, 0, null, new_item_share, null, null, shown_item_ids)::recsys_api._controls);
    controls.method := 'hybrid';
    -- the latest first
    select coalesce(array_agg(g.id order by g.position desc), '{}'),
        coalesce(array_agg(g.weight order by g.position desc), '{}')
    into distinct_ids, distinct_weights
    from (
        select u.id, max(u.position) as position, greatest(-1, least(1, sum(coalesce(u.weight, 1)))) as weight
        from unnest(recommend_for_items.item_ids, weights) with ordinality u (id, weight, position)
        group by u.id
    ) g;
    return query
        select r.rank, i.id, i.external_id, i.title, i.category, i.price, i.in_stock, r.score, r.reason,
            r.reason_item_id, r.placement
        from recsys_api._recommend(distinct_ids, distinct_weights, recommend_for_items.n,
            recsys_api._exclude(controls.filter, distinct_ids || controls.shown_item_ids), controls, null) r
        join recsys.items i on i.id = r.item_id
        order by r.rank;
end $$;
