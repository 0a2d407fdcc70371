-- Private. The items that pass a filter, embedded or not, in no order.
create or replace function recsys_api._passing_ids(filter recsys_api.filter) returns bigint[]
language plpgsql stable
set search_path from current
set jit = off
set parallel_setup_cost = 10000
as $$
declare
    conditions  text := recsys_api._filter_conditions(filter);
    unpriced    recsys_api.filter := filter;
    -- of the bands of prices, see recsys.kept_price_band
    bands       text := concat(
        case when (filter).min_price is not null then ' and item.price_band > recsys.price_band(($1).min_price) + 6' end,
        case when (filter).max_price is not null then ' and item.price_band < recsys.price_band(($1).max_price) - 6' end);
    at_bounds   text := format(' and (%s)', concat_ws(' or ',
        case when (filter).min_price is not null then 'item.price_band
            between recsys.price_band(($1).min_price) - 6 and recsys.price_band(($1).min_price) + 6' end,
        case when (filter).max_price is not null then 'item.price_band
            between recsys.price_band(($1).max_price) - 6 and recsys.price_band(($1).max_price) + 6' end));
    ids         bigint[];
begin
    unpriced.min_price := null;
    unpriced.max_price := null;
    execute format('select array(%s)', case
        when not recsys_api._has_copies(filter) then
            format('select item.id from recsys.items item where true %s', conditions)
        when (filter).min_price is null and (filter).max_price is null then format(
            'select item.id from recsys.searchable_items item where true %1$s
             union all select item.id from recsys.items item where item.embedding is null %1$s', conditions)
        else format(
            -- of the bands between, all: an index tells them without a look at the rows
            'select item.id from recsys.searchable_items item where true %1$s %2$s
             union all select item.id from recsys.searchable_items item where true %3$s %4$s
             union all select item.id from recsys.items item where item.embedding is null %3$s',
            recsys_api._filter_conditions(unpriced), bands, conditions, at_bounds) end)
    into ids using filter;
    return ids;
end $$;
