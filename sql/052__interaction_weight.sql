-- Private. What one interaction says about a user's taste: the weight of its kind, or, for kinds with a
-- value_center such as ratings, weight * (value - value_center), limited to -1 … 1.
create or replace function recsys_api._interaction_weight(
    weight double precision, value_center double precision, value double precision)
returns double precision
language sql immutable parallel safe
as $$
    select case when value_center is null then weight
        else greatest(-1, least(1, weight * (coalesce(value, value_center) - value_center))) end
$$;
