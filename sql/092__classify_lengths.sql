-- Private. Raises in recsys.models.length_classes those of some items whose targets are longer than what is noted. What is
-- noted too high stays so until the next training: it costs a look, no more.
create or replace function recsys_api._classify_lengths(model_id bigint, item_ids bigint[]) returns void
language plpgsql volatile
set search_path from current
as $$
#variable_conflict use_variable
declare
    lengths     real[] := (select m.class_lengths from recsys.models m where m.id = model_id);
    classes     bytea;
    item        record;
    slots       integer;
    slot        integer;
    shift       integer;
begin
    for item in
        select f.item_id as id, width_bucket(f.length, lengths) as class from recsys.item_factors f
        where f.model_id = model_id and f.item_id = any (item_ids) and f.length >= lengths[1]
    loop
        if classes is null then
            select m.length_classes || '' into classes from recsys.models m where m.id = model_id for no key update;
        end if;
        continue when recsys_api._length_class(classes, item.id) >= item.class;
        slots := 4 * length(classes) - 1;
        slot := (item.id % slots + slots) % slots;
        shift := 2 * (slot & 3);
        classes := set_byte(classes, slot / 4, (get_byte(classes, slot / 4) & ~(3 << shift)) | (item.class << shift));
    end loop;
    update recsys.models m set length_classes = classes where m.id = model_id and m.length_classes <> classes;
end $$;
