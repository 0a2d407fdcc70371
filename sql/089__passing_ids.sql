-- Private. The items that pass a filter, embedded or not, in no order.
create or replace function recsys_api._passing_ids(filter recsys_api.filter) returns bigint[]
language plpgsql stable
set search_path from current
set jit = off
set parallel_setup_cost = 10000
as $$
declare
    conditions text := recsys_api._filter_conditions(filter);
    ids        bigint[];
begin
    execute format('select array(%s)', case when recsys_api._has_copies(filter) then format(
            'select item.id from recsys.searchable_items item where true %s
             union all select item.id from recsys.items item where item.embedding is null %s',
            conditions || recsys_api._band_conditions(filter), conditions)
        else format('select item.id from recsys.items item where true %s', conditions) end)
    into ids using filter;
    return ids;
end $$;
