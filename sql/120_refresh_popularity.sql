-- Recounts popularity from all interactions; returns the number of items whose popularity changed.
--
-- The worker and recsys-pg train call it; without them, schedule it, for example by pg_cron.
-- Cost: one pass over the interactions, about 2 s a million; readers are never blocked. Writes nothing for items
-- without new interactions.
-- Example: select recsys_api.refresh_popularity();
create or replace function recsys_api.refresh_popularity()
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    half_life_days double precision;
    changed        bigint;
begin
    perform pg_advisory_xact_lock(hashtext('recsys_api.refresh_popularity'));
    -- after the lock: who held it may have changed it
    half_life_days := recsys_api._setting('popularity.half_life_days');
    -- in half-lives since 2000, a sum for every 500 of them: 2 to the power of more would not fit a double
    with interactions as (
        select a.item_id, recsys_api._interaction_weight(k.weight, k.value_center, a.value) as weight,
            (date_part('epoch', least(a.occurred_at, now())) - 946684800) / 86400 / half_life_days as age
        from recsys.interactions a
        join recsys.interaction_kinds k on k.kind = a.kind
    ),
    spans as (
        select a.item_id, 500 * floor(a.age / 500) as start, sum(a.weight * power(2, a.age - 500 * floor(a.age / 500))) as total
        from interactions a
        where a.weight > 0
        group by a.item_id, start
    ),
    fresh as materialized (
        select s.item_id, s.latest + ln(sum(s.total * power(2, greatest(s.start - s.latest, -1000)))) / ln(2.0)::double precision
            as log2_weight
        from (select s.item_id, s.start, s.total, max(s.start) over (partition by s.item_id) as latest from spans s) s
        group by s.item_id, s.latest
    ),
    -- read once, before rows are added: a plan from when there were none might look through all of them for each
    counted as materialized (
        select p.item_id from recsys.item_popularity p
    ),
    gone as (
        delete from recsys.item_popularity p where not exists (select from fresh f where f.item_id = p.item_id)
        returning 1
    ),
    recounted as (
        update recsys.item_popularity p set log2_weight = f.log2_weight
        from fresh f
        where f.item_id = p.item_id and abs(p.log2_weight - f.log2_weight) > 1e-9
        returning 1
    ),
    added as (
        -- the lock leaves out items that are deleted while this runs
        insert into recsys.item_popularity (item_id, log2_weight)
        select f.item_id, f.log2_weight
        from fresh f
        join recsys.items i on i.id = f.item_id
        where not exists (select from counted c where c.item_id = f.item_id)
        for key share of i
        on conflict (item_id) do nothing
        returning 1
    )
    select (select count(*) from gone) + (select count(*) from recounted) + (select count(*) from added) into changed;
    return changed;
end $$;
