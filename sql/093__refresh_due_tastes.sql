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
    due    bigint[];
begin
    if not pg_try_advisory_xact_lock(hashtext('recsys_api.refresh_tastes')) then
        return 0;
    end if;
    due := array(
        select c.user_id from recsys.taste_changes c
        group by c.user_id
        having max(c.changed_at) <= clock_timestamp() - delay or min(c.changed_at) <= clock_timestamp() - 10 * delay
            -- the clock was set back
            or max(c.changed_at) > clock_timestamp() + interval '1 minute'
        order by min(c.changed_at)
        limit most);
    if due <> '{}' then
        perform recsys_api._refresh_tastes(due);
        if exists (select from recsys.models m where m.purpose = 'embedding' and m.is_standby) then
            perform recsys_api._refresh_tastes(due, is_standby => true);
        end if;
    end if;
    return cardinality(due);
end $$;
