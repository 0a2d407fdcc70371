-- Private. Recomputes the taste vectors of users; returns the number of those whose vector changed. One that has moved by
-- less than .8 degrees stays: whom it is near to is the same, and each row that is written costs some milliseconds for the
-- vector index. Among the standby model's embeddings on demand; else the users count as unchanged from then on.
create or replace function recsys_api._refresh_tastes(user_ids bigint[], is_standby boolean default false)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    changed bigint;
begin
    if not is_standby then
        -- before anything is read, so that what comes meanwhile is left for the next time
        delete from recsys.taste_changes c where c.user_id = any (user_ids);
    end if;
    execute format(
        'update recsys.users u
         set %1$sembedding = t.taste, %1$sembedding_model_id = case when t.taste is not null then m.id end
         from recsys.users o
         cross join lateral (
             select recsys_api._taste(array_agg(h.item_id), array_agg(h.weight), $2) as taste
             from recsys_api._history(o.id) h
         ) t
         join recsys.models m on m.purpose = ''embedding'' and m.%2$s
         where o.id = any ($1) and u.id = o.id
             and ((u.%1$sembedding is null) <> (t.taste is null)
                 or coalesce(u.%1$sembedding <=> t.taste, 0) > 1e-4
                 or u.%1$sembedding_model_id <> m.id)',
        case when is_standby then 'standby_' else '' end, case when is_standby then 'is_standby' else 'is_active' end)
    using user_ids, is_standby;
    get diagnostics changed = row_count;
    return changed;
end $$;
