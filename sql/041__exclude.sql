-- Private. A filter that leaves out further items.
create or replace function recsys_api._exclude(filter recsys_api.filter, item_ids bigint[])
returns recsys_api.filter
language sql immutable parallel safe
set search_path from current
as $$
    select row((filter).categories, (filter).in_stock, (filter).min_price, (filter).max_price, (filter).tags,
        (filter).attributes, (filter).item_ids,
        coalesce((filter).exclude_item_ids, '{}') || coalesce(item_ids, '{}'))::recsys_api.filter
$$;
