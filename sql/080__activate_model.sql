-- Private. Switches recommendations to a trained model, after the items that it has not seen got their factors. The caller
-- keeps trainings out. RS010 when there is no such model.
create or replace function recsys_api._activate_model(model_id bigint)
returns void
language plpgsql volatile
set search_path from current
as $$
begin
    if model_id is null
        or not exists (select from recsys.models m where m.id = model_id and m.purpose = 'collaborative') then
        raise exception using errcode = 'RS010',
            message = format('model_id is %s, which is no trained model', coalesce(model_id::text, 'NULL')),
            hint = 'recsys-pg model list shows those that there are.';
    end if;
    if exists (select from recsys.models m where m.id = model_id and m.decays is not null)
        and (select count(*) from pg_inherits h join pg_class c on c.oid = h.inhrelid
             where h.inhparent in ('recsys.item_factors'::regclass, 'recsys.item_residuals'::regclass)
                and c.relname in ('item_factors_' || model_id, 'item_residuals_' || model_id)) < 2
    then
        raise exception using errcode = 'RS010',
            message = format('model_id is %s, whose training did not end', model_id),
            hint = 'Train again: recsys-pg train.';
    end if;
    perform recsys_api.refresh_item_factors(null, model_id);
    update recsys.models m set is_active = false, activated_at = coalesce(m.activated_at, m.created_at)
    where m.purpose = 'collaborative' and m.is_active and m.id <> model_id;
    update recsys.models m set is_active = true, activated_at = clock_timestamp()
    where m.id = model_id and not m.is_active;
end $$;
