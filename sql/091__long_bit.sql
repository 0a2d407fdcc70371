-- Private. The number of an item's bit in recsys.models.long_items, which has so many bytes.
create or replace function recsys_api._long_bit(item_id bigint, bytes integer) returns bigint
language sql immutable parallel safe
return (item_id % (8 * bytes) + 8 * bytes) % (8 * bytes);
