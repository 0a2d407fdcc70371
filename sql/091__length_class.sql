-- Private. How long the target of an item is, 3 the longest … 0: two bits of recsys.models.length_classes, whose number is the
-- id modulo how many there are, less one, which training makes a prime, so that ids in steps, such as those of a clock, share few.
create or replace function recsys_api._length_class(classes bytea, item_id bigint) returns integer
language sql immutable parallel safe
return get_byte(classes, ((item_id % (4 * length(classes) - 1) + 4 * length(classes) - 1) % (4 * length(classes) - 1) / 4)::integer)
    >> (2 * ((item_id % (4 * length(classes) - 1) + 4 * length(classes) - 1) % (4 * length(classes) - 1) & 3))::integer & 3;
