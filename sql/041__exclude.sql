-- Private. A filter that leaves out further items.
create or replace function recsys_api._exclude(filter recsys_api.filter, item_ids bigint[])
returns recsys_api.filter
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    filter.exclude_item_ids := coalesce(filter.exclude_item_ids, '{}') || coalesce(item_ids, '{}');
    return filter;
end $$;
