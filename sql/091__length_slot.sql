-- Private. Which two bits of recsys.models.length_classes are an item's: its id modulo how many there are, less one, which
-- training makes a prime, so that ids in steps, such as those of a clock, share few.
create or replace function recsys_api._length_slot(classes bytea, item_id bigint) returns integer
language sql immutable parallel safe
return ((item_id % (4 * length(classes) - 1) + 4 * length(classes) - 1) % (4 * length(classes) - 1))::integer;
