-- Private. Refuses item ids that are NULL, a list of lists or not in the catalogue (RS010, RS002), naming the first.
create or replace function recsys_api._check_items(item_ids bigint[])
returns void
language plpgsql stable parallel safe
set search_path from current
as $$
declare
    unknown bigint;
begin
    if array_ndims(item_ids) > 1 then
        raise exception using errcode = 'RS010',
            message = 'item_ids is a list of lists',
            hint = 'Pass one list of ids.';
    end if;
    if item_ids is null or array_position(item_ids, null) is not null then
        raise exception using errcode = 'RS010',
            message = 'an item id is NULL',
            hint = 'Pass ids of items; recsys_api.item_id(external_id) translates your own keys.';
    end if;
    select g.id into unknown
    from unnest(item_ids) with ordinality g (id, position)
    where not exists (select from recsys.items i where i.id = g.id)
    order by g.position limit 1;
    if found then
        raise exception using errcode = 'RS002',
            message = format('item %s does not exist', unknown),
            hint = 'Pass the id of an item; recsys_api.item_id(external_id) translates your own keys.';
    end if;
end $$;
