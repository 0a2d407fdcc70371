-- Private. Notes the filter of a search that ran, for recsys-pg indexes to advise indexes from.
--
-- Keeps what an index could serve: one category, tags, attributes, a rule; no ids, no prices. A filter with none of
-- them, or of more than 1,000 bytes, is not kept. The sample is a ring: the oldest is replaced.
-- Never waits: a slot whose group another open transaction writes is left out, and a group holds so many slots that
-- one transaction takes at most 64 locks. Does nothing on a replica and in a read-only transaction, nor above READ
-- COMMITTED, where replacing what another session wrote meanwhile would fail the caller's transaction.
-- Cost: about 20 µs for the search that is sampled, nothing for the others. The table is unlogged, so a transaction that
-- only read before commits without waiting for the disk.
-- Security definer: who searches needs no right on the sample, and cannot read what others searched for.
create or replace function recsys_api._sample_filter(
    filter recsys_api.filter, strategy text, rows_passing bigint, milliseconds double precision)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    category    text := case when cardinality((filter).categories) = 1 then (filter).categories[1] end;
    tags        text[] := (select array_agg(distinct t.tag order by t.tag) from unnest((filter).tags) t (tag) where t.tag is not null);
    attributes  jsonb := nullif((filter).attributes, '{}');
    next_slot   integer;
begin
    if num_nonnulls(category, tags, attributes, (filter).rule) = 0
        or pg_column_size(row(category, tags, attributes, (filter).rule)) > 1000
        or milliseconds is null or not milliseconds between 0 and 1e7 or rows_passing < 0
        or strategy is null or strategy not in ('partial_index', 'exact', 'index_walk', 'code_scan', 'full_scan')
        or current_setting('transaction_read_only')::boolean
        or current_setting('transaction_isolation') <> 'read committed'
    then
        return;
    end if;
    next_slot := nextval('recsys.filter_samples_slot_seq');
    if not pg_try_advisory_xact_lock(x'73616d70'::integer, next_slot % 64) then  -- "samp"
        return;
    end if;
    insert into recsys.filter_samples as s
        (slot, searches, category, tags, attributes, rule, strategy, rows_passing, milliseconds)
    values (next_slot, coalesce(1 / nullif(recsys_api._setting('search.sample_share'), 0), 1), category, tags,
        attributes, (filter).rule, _sample_filter.strategy, _sample_filter.rows_passing, _sample_filter.milliseconds)
    on conflict (slot) do update
    set sampled_at = excluded.sampled_at, searches = excluded.searches, category = excluded.category,
        tags = excluded.tags, attributes = excluded.attributes, rule = excluded.rule, strategy = excluded.strategy,
        rows_passing = excluded.rows_passing, milliseconds = excluded.milliseconds;
end $$;
