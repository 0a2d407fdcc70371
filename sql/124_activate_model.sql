-- Makes recommendations come from another trained model, in one transaction; returns its id.
--
-- Arguments: model_id, one of recsys.models; left out, the model that was active before: the way back.
-- recsys-pg train keeps the active model, the one before and the one that it trained last.
-- Errors: RS010 when there is no such model; 55006 (object_in_use) while a training or another switch runs. For the owner of the schema.
-- Cost: about 3 ms for each item that came after the model was trained. Readers wait for nothing.
-- Example: select recsys_api.activate_model((select max(id) from recsys.models where purpose = 'collaborative'));
create or replace function recsys_api.activate_model(model_id bigint default null)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    wanted bigint := coalesce(activate_model.model_id, (
        select m.id from recsys.models m
        where m.purpose = 'collaborative' and not m.is_active and m.activated_at is not null
        order by m.activated_at desc limit 1));
begin
    -- the key of recsys_pg.collaborative.trainer
    if not pg_try_advisory_xact_lock(1953653097) then
        raise exception using errcode = 'object_in_use',
            message = 'a training, which may remove models, or another switch runs on this database',
            hint = 'Try again when it has ended.';
    end if;
    if wanted is null and activate_model.model_id is null then
        raise exception using errcode = 'RS010',
            message = 'no trained model was active before',
            hint = 'recsys-pg model list shows those that there are.';
    end if;
    perform recsys_api._activate_model(wanted);
    return wanted;
end $$;
