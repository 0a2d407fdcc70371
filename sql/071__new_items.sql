-- Private. Those of some items that few know yet: with fewer interactions than setting new_items.interactions.
create or replace function recsys_api._new_items(item_ids bigint[])
returns bigint[]
language sql stable
set search_path from current
as $$
    select coalesce(array_agg(u.id), '{}')
    from (select recsys_api._setting('new_items.interactions')::integer as bound) s
    cross join unnest(item_ids) u (id)
    where (select count(*) from (
        select from recsys.interactions a where a.item_id = u.id limit s.bound) known) < s.bound
$$;
