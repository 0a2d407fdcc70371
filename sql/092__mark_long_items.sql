-- Private. Sets the bits of recsys.models.long_items for those of some items whose targets are as long as the others that have
-- one. A bit that is set stays so until the next training: it costs a look, no more.
create or replace function recsys_api._mark_long_items(model_id bigint, item_ids bigint[]) returns void
language plpgsql volatile
set search_path from current
as $$
#variable_conflict use_variable
declare
    bits        bytea;
    item_id     bigint;
    is_changed  boolean := false;
begin
    for item_id in
        select f.item_id from recsys.models m join recsys.item_factors f on f.model_id = m.id
        where m.id = model_id and f.item_id = any (item_ids) and f.length >= m.long_from
            and get_bit(m.long_items, recsys_api._long_bit(f.item_id, length(m.long_items))) = 0
    loop
        if not is_changed then
            select m.long_items into bits from recsys.models m where m.id = model_id for no key update;
            is_changed := true;
        end if;
        bits := set_bit(bits, recsys_api._long_bit(item_id, length(bits)), 1);
    end loop;
    if is_changed then
        update recsys.models m set long_items = bits where m.id = model_id;
    end if;
end $$;
