-- Private. What recsys.searchable_items item can be asked besides the conditions of a filter, which it follows from:
-- the bands of its prices, which an index knows. An item stays in its band while its price is up to 6 bands away, see
-- recsys.kept_price_band.
create or replace function recsys_api._band_conditions(filter recsys_api.filter)
returns text
language sql immutable parallel safe
set search_path from current
as $$
    select concat(
        case when (filter).min_price is not null
            then ' and item.price_band >= recsys.price_band(($1).min_price) - 6' end,
        case when (filter).max_price is not null
            then ' and item.price_band <= recsys.price_band(($1).max_price) + 6' end)
$$;
