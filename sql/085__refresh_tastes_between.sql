-- Private. Recomputes the taste vectors of the users from one id to another, both included; returns the number of users
-- whose vector changed. One that has moved by less than .8 degrees stays: whom it is near to is the same, and each row that is
-- written costs some milliseconds for the vector index. Among the standby model's embeddings on demand.
create or replace function recsys_api._refresh_tastes_between(
    first_id bigint, last_id bigint, is_standby boolean default false)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    changed bigint;
begin
    execute format(
        'update recsys.users u
         set %1$sembedding = t.taste, %1$sembedding_model_id = case when t.taste is not null then m.id end
         from recsys.users o
         cross join lateral (
             select recsys_api._taste(array_agg(h.item_id), array_agg(h.weight), $3) as taste
             from recsys_api._history(o.id) h
         ) t
         join recsys.models m on m.purpose = ''embedding'' and m.%2$s
         where o.id between $1 and $2 and u.id = o.id
             and ((u.%1$sembedding is null) <> (t.taste is null)
                 or coalesce(u.%1$sembedding <=> t.taste, 0) > 1e-4
                 or u.%1$sembedding_model_id <> m.id)',
        case when is_standby then 'standby_' else '' end, case when is_standby then 'is_standby' else 'is_active' end)
    using first_id, last_id, is_standby;
    get diagnostics changed = row_count;
    return changed;
end $$;
