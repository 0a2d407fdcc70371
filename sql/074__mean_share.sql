-- Private. What the mean user counts beside a history of these weights: 2^(-sum of absolute weights / fade), so the less,
-- the more is known. NULL when nothing is liked.
create or replace function recsys_api._mean_share(fade double precision, weights double precision[])
returns double precision
language sql immutable parallel safe
set search_path from current
as $$
    select power(2, -least(100, sum(abs(w)) / fade)) from unnest(weights) w having bool_or(w > 0)
$$;
