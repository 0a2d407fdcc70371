-- Notes what was shown to a user, so that rotation lets it sink in later lists; the next recommendation in the same
-- transaction takes it into account.
--
-- Arguments
--   user_id   the user; register new ones with ensure_user
--   item_ids  the items that were shown, at most 1,000; one that is there twice was shown once
--   shown_at  when; now if left out
-- Returns how many items were noted. Of a user the latest are kept, as many as setting impressions.length says; an earlier
-- shown_at than the one noted counts, but does not replace it.
-- Errors: RS001, RS002 for an unknown user or item; RS010 for a NULL id, more than 1,000, or a time in the future.
-- Cost: a row an item, about 10 µs each; a page shown again updates its rows in place.
-- Example: select recsys_api.record_impressions(42, array[1, 50]);
create or replace function recsys_api.record_impressions(
    user_id bigint, item_ids bigint[], shown_at timestamptz default now())
returns integer
language plpgsql volatile
set search_path from current
as $$
#variable_conflict use_column
declare
    recorded  integer;
begin
    perform recsys_api._check_user(record_impressions.user_id);
    if cardinality(record_impressions.item_ids) > 1000 then
        raise exception using errcode = 'RS010',
            message = format('there are %s items, not at most 1000', cardinality(record_impressions.item_ids)),
            hint = 'Note what somebody can have seen, a page at a time.';
    end if;
    perform recsys_api._check_items(record_impressions.item_ids);
    if isfinite(record_impressions.shown_at) is not true or record_impressions.shown_at > now() + interval '5 minutes' then
        raise exception using errcode = 'RS010',
            message = format('shown_at is %s, %s', coalesce(record_impressions.shown_at::text, 'NULL'),
                case when isfinite(record_impressions.shown_at) then 'in the future' else 'not a time' end),
            hint = 'Pass the time at which it was shown, or leave it out for now.';
    end if;
    -- in one order, so that two calls at once wait and do not deadlock
    insert into recsys.impressions as s (user_id, item_id, shown_at)
    select distinct record_impressions.user_id, u.id, record_impressions.shown_at
    from unnest(record_impressions.item_ids) u (id) order by u.id
    on conflict on constraint impressions_pkey do update
        set shown_at = greatest(s.shown_at, excluded.shown_at), times = s.times + 1;
    get diagnostics recorded = row_count;
    -- what another transaction just notes is left to it
    delete from recsys.impressions s where s.ctid = any (array(
        select o.ctid from recsys.impressions o
        where o.user_id = record_impressions.user_id and (o.shown_at, o.item_id) <= (
            select p.shown_at, p.item_id from recsys.impressions p where p.user_id = record_impressions.user_id
            order by p.shown_at desc, p.item_id desc
            offset recsys_api._setting('impressions.length')::bigint limit 1)
        for update skip locked));
    return recorded;
end $$;
