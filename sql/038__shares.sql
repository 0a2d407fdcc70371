-- Private. What each item of a history counts at each time scale of a model: its weight, decayed by how many other items
-- came after it, divided by the root of the sum of all. item_ids are the latest first. What has decayed below a hundredth
-- is left out. From the eighth item on, the age counts in quarters of octaves, so that a long history has few different
-- shares: recsys_api._factor_query adds up the vectors of each share before it multiplies them. entries is how many of an
-- item's neighbors count in the residuals, the strongest first: of 5,000 at a time scale its share of all, so that a long
-- history does not take longer than a short one.
create or replace function recsys_api._shares(
    decays double precision[], item_ids bigint[], weights double precision[])
returns table (item_id bigint, scale integer, share double precision, entries integer)
language sql immutable parallel safe rows 300
set search_path from current
as $$
    select t.item_id, t.scale, t.weight / sqrt(t.total), ceil(5000 * abs(t.weight) / t.total)::integer
    from (
        select a.item_id, s.scale::integer, a.weight * f.factor as weight,
            sum(abs(a.weight * f.factor)) over (partition by s.scale) as total
        from (
            select h.item_id, h.weight, (row_number() over (order by h.position) - 1)::integer as age
            from unnest(item_ids, weights) with ordinality h (item_id, weight, position)
            where abs(h.weight) > 1e-6
        ) a
        cross join lateral (select 1 << greatest(0, floor(ln(a.age + 0.5::double precision) / ln(2::double precision))::integer - 2) as unit) u
        cross join unnest(decays) with ordinality s (decay, scale)
        cross join lateral (select power(s.decay, least(a.age / u.unit * u.unit, 1000)) as factor) f
        where f.factor >= 0.01
    ) t
$$;
