-- Private. Recomputes the taste vectors of up to so many users who did something and then nothing for a while
-- (worker.taste_delay_seconds), or have gone on for ten times as long; returns how many. 0 too while somebody refreshes
-- all tastes.
create or replace function recsys_api._refresh_due_tastes(most integer)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    delay  interval := make_interval(secs => recsys_api._setting('worker.taste_delay_seconds'));
    moment timestamptz := clock_timestamp();
    due    bigint[];
begin
    if not pg_try_advisory_xact_lock(hashtext('recsys_api.refresh_tastes')) then
        return 0;
    end if;
    due := array(
        select d.user_id
        from (
            -- of the oldest so many that who goes on does not keep others waiting for long
            (select c.user_id, c.changed_at from recsys.taste_changes c
             where c.changed_at <= moment - delay
             order by c.changed_at limit 10 * most)
            union all
            -- the clock was set back
            (select c.user_id, moment - 10 * delay from recsys.taste_changes c
             where c.changed_at > moment + interval '1 minute'
             order by c.changed_at limit most)
        ) d
        where d.changed_at <= moment - 10 * delay or not exists (
            select from recsys.taste_changes n where n.user_id = d.user_id and n.changed_at > moment - delay)
        group by d.user_id
        order by min(d.changed_at)
        limit most);
    if due <> '{}' then
        perform recsys_api._refresh_tastes(due);
        if exists (select from recsys.models m where m.purpose = 'embedding' and m.is_standby) then
            perform recsys_api._refresh_tastes(due, is_standby => true);
        end if;
    end if;
    return cardinality(due);
end $$;
