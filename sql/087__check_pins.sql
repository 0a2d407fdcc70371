-- Private. Refuses pins that recsys_api.item_pin would not build, that contradict each other or the filter, whose items do
-- not exist, or that are too many (RS010, RS002).
create or replace function recsys_api._check_pins(pins recsys_api.pin[], excluded_item_ids bigint[])
returns void
language plpgsql stable
set search_path from current
as $$
declare
    clash  record;
begin
    if cardinality(pins) > 100 or array_ndims(pins) > 1 then
        raise exception using errcode = 'RS010',
            message = case when array_ndims(pins) > 1 then 'pins is an array of arrays'
                else format('there are %s pins, not at most 100', cardinality(pins)) end,
            hint = 'Boost what has no place of its own.';
    end if;
    perform recsys_api.item_pin(p.item_id, p.place) from unnest(pins) p;
    perform recsys_api._check_items(array(select p.item_id from unnest(pins) p));
    select p.place, array_agg(p.item_id order by p.item_id) as item_ids into clash
    from unnest(pins) p group by p.place having count(*) > 1 order by p.place limit 1;
    if found then
        raise exception using errcode = 'RS010',
            message = format('items %s are pinned to one place, %s', array_to_string(clash.item_ids[:5], ', '), clash.place),
            hint = 'Give every pin a place of its own.';
    end if;
    select p.item_id, array_agg(p.place order by p.place) as places into clash
    from unnest(pins) p group by p.item_id having count(*) > 1 order by p.item_id limit 1;
    if found then
        raise exception using errcode = 'RS010',
            message = format('item %s is pinned to the places %s', clash.item_id, array_to_string(clash.places[:5], ', ')),
            hint = 'Pin an item to one place.';
    end if;
    select p.item_id, p.place into clash from unnest(pins) p
    where p.item_id = any (excluded_item_ids) order by p.place limit 1;
    if found then
        raise exception using errcode = 'RS010',
            message = format('item %s is pinned to place %s and excluded by the filter', clash.item_id, clash.place),
            hint = 'Take it out of exclude_item_ids, or leave the pin out.';
    end if;
end $$;
