-- Builds a pin for recsys_api.define_scenario: an item that has a place of its own in the list.
--
-- Arguments
--   item_id  the item; recsys_api.define_scenario checks that it exists
--   place    its place in the list, 1 to 1,000
-- Errors: RS010 for a NULL item or a place out of range.
-- Example: select recsys_api.item_pin(1, place => 3);
create or replace function recsys_api.item_pin(item_id bigint, place integer)
returns recsys_api.pin
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if item_pin.item_id is null then
        raise exception using errcode = 'RS010',
            message = 'the item of a pin is NULL',
            hint = 'Pass the id of an item; recsys_api.item_id(external_id) translates your own keys.';
    end if;
    if item_pin.place is null or item_pin.place not between 1 and 1000 then
        raise exception using errcode = 'RS010',
            message = format('the place of item %s is %s, not between 1 and 1000', item_pin.item_id,
                coalesce(item_pin.place::text, 'NULL')),
            hint = 'Places are counted from 1.';
    end if;
    return row(item_pin.item_id, item_pin.place)::recsys_api.pin;
end $$;
