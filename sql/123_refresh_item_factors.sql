-- Gives the items that the active model has not learned the factors that follow from what they are, so that they are
-- recommended like those that people know; returns how many.
--
-- Arguments: item_ids, those whose content is new or has changed; left out, all that have no factors yet; model_id, a
-- trained model, by default the active one.
-- The worker calls it for what it has embedded, and training before it switches to a new model. What was learned from
-- interactions stays.
-- Cost: about 3 ms an item, most of it for the vector index.
-- Example: select recsys_api.refresh_item_factors();
create or replace function recsys_api.refresh_item_factors(
    item_ids bigint[] default null, model_id bigint default null)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    model   bigint := coalesce(refresh_item_factors.model_id, (select m.id from recsys.models m
        where m.purpose = 'collaborative' and m.is_active and m.decays is not null));
    batch   bigint[];
    changed bigint := 0;
    written bigint;
    refreshed bigint[] := '{}';
begin
    if model is null or not exists (select from recsys.content_maps c where c.model_id = model)
        -- what the map was learned from
        or exists (select from recsys.models m where m.id = model
            and (m.parameters ->> 'embedding_model_id')::bigint is distinct from (
                select e.id from recsys.models e where e.purpose = 'embedding' and e.is_active))
    then
        return 0;
    end if;
    for batch in
        select array_agg(b.id)
        from (
            select i.id, row_number() over (order by i.id) / 500 as number
            from recsys.items i
            where case when item_ids is null then
                    i.embedding is not null
                    and not exists (select from recsys.item_factors f where f.model_id = model and f.item_id = i.id)
                else i.id = any (item_ids) end
        ) b
        group by b.number
        order by b.number
    loop
        insert into recsys.item_factors as f (model_id, item_id, target, history, is_learned)
        select model, m.item_id, m.target, m.history, false
        from recsys_api._mapped_factors(model, batch) m
        join recsys.items i on i.id = m.item_id
        order by m.item_id
        for key share of i
        on conflict on constraint item_factors_pkey do update set target = excluded.target, history = excluded.history
        where not f.is_learned;
        get diagnostics written = row_count;
        refreshed := refreshed || batch;
        changed := changed + written;
    end loop;
    -- in the end, so that others wait for the model's row no longer than it takes
    perform recsys_api._classify_lengths(model, refreshed);
    return changed;
end $$;
