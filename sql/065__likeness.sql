-- Private. Vectors whose cosines tell how alike items are, in the order of the items: their embeddings, or, where most of them
-- have none, their targets in the active model. NULL for an item that has none; such resemble nothing.
create or replace function recsys_api._likeness(item_ids bigint[])
returns vector[]
language plpgsql stable
set search_path from current
set jit = off
as $$
declare
    embeddings  vector[];
    model       bigint;
begin
    select array_agg(i.embedding order by u.position) into embeddings
    from unnest(item_ids) with ordinality u (id, position) left join recsys.items i on i.id = u.id;
    select m.id into model from recsys.models m
    where m.purpose = 'collaborative' and m.is_active and m.decays is not null;
    if 2 * cardinality(array_remove(embeddings, null)) >= cardinality(item_ids) or model is null then
        return embeddings;
    end if;
    return array(
        select case when l2_norm(f.target) > 0 then f.target::vector end
        from unnest(item_ids) with ordinality u (id, position)
        left join recsys.item_factors f on f.model_id = model and f.item_id = u.id
        order by u.position);
end $$;
