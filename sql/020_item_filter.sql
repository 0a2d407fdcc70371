-- Builds the filter that search_items, similar_items, recommend_for_user and the others take.
--
-- Arguments left out set no condition; all that are given must hold.
--   categories        the item's category is one of these
--   in_stock          true: in stock only; false: out of stock only
--   min_price         the price is at least this; an item without a price does not pass
--   max_price         the price is at most this; an item without a price does not pass. Both are numeric: where a driver
--                     sends a float as double precision, as psycopg does, pass a decimal or write max_price => $1::numeric
--   tags              the item has all of these tags
--   attributes        the item's attributes contain this JSON object (jsonb @>)
--   item_ids          only these items; an empty array lets none pass
--   exclude_item_ids  none of these items
--   rule              the item passes the rule of this name, see recsys_api.define_rule; one that is unknown is
--                     an error of the search (RS013)
-- Errors: RS010 when min_price exceeds max_price, a price is NaN, a list is one of lists, or attributes is not an object.
-- Example: select recsys_api.item_filter(categories => '{Drama,Comedy}', in_stock => true, max_price => 20);
create or replace function recsys_api.item_filter(
    categories        text[] default null,
    in_stock          boolean default null,
    min_price         numeric default null,
    max_price         numeric default null,
    tags              text[] default null,
    attributes        jsonb default null,
    item_ids          bigint[] default null,
    exclude_item_ids  bigint[] default null,
    rule              text default null
)
returns recsys_api.filter
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if min_price = 'NaN' or max_price = 'NaN' then
        raise exception using errcode = 'RS010',
            message = 'a price bound is NaN',
            hint = 'Pass a number, or leave min_price or max_price out.';
    end if;
    if min_price > max_price then
        raise exception using errcode = 'RS010',
            message = format('min_price %s is above max_price %s', min_price, max_price),
            hint = 'Swap the two bounds: no price can meet both.';
    end if;
    if jsonb_typeof(attributes) <> 'object' then
        raise exception using errcode = 'RS010',
            message = format('attributes is a JSON %s, not an object', jsonb_typeof(attributes)),
            hint = 'Pass an object such as {"color": "red"}.';
    end if;
    if greatest(array_ndims(categories), array_ndims(tags), array_ndims(item_ids), array_ndims(exclude_item_ids)) > 1 then
        raise exception using errcode = 'RS010',
            message = format('%s is an array of arrays', case
                when array_ndims(categories) > 1 then 'categories' when array_ndims(tags) > 1 then 'tags'
                when array_ndims(item_ids) > 1 then 'item_ids' else 'exclude_item_ids' end),
            hint = 'Pass one list, such as {a,b}.';
    end if;
    return row(
        array_remove(categories, null), in_stock, min_price, max_price, array_remove(tags, null), attributes,
        array_remove(item_ids, null), array_remove(exclude_item_ids, null),
        rule)::recsys_api.filter;
end $$;
