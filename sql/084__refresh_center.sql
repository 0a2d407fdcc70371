-- Private. Recomputes the mean of the catalogue's embeddings, from which tastes are told apart; that of the standby model's
-- on demand.
create or replace function recsys_api._refresh_center(is_standby boolean default false)
returns void
language plpgsql volatile
set search_path from current
as $$
begin
    if is_standby then
        update recsys.models m
        set center = (select avg(i.standby_embedding) from recsys.items i where i.standby_embedding is not null)
        where m.purpose = 'embedding' and m.is_standby;
    else
        update recsys.models m
        set center = (select avg(i.embedding) from recsys.items i where i.embedding is not null)
        where m.purpose = 'embedding' and m.is_active;
    end if;
end $$;
