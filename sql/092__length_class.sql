-- Private. How long the target of an item is, 3 the longest … 0: two bits of recsys.models.length_classes, those of
-- recsys_api._length_slot.
create or replace function recsys_api._length_class(classes bytea, item_id bigint) returns integer
language sql immutable parallel safe
return get_byte(classes, recsys_api._length_slot(classes, item_id) / 4) >> (2 * (recsys_api._length_slot(classes, item_id) & 3)) & 3;
