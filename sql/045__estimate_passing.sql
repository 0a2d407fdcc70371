-- Private. About how many embedded items pass a filter, and which share of all that is: what passes of a hundred pages of
-- recsys.searchable_items. It only decides which way is tried first, never what is found.
create or replace function recsys_api._estimate_passing(
    filter recsys_api.filter, conditions text, out passing double precision, out share double precision)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    percent double precision := least(100, 100 * 100.0 /
        greatest(1, pg_relation_size('recsys.searchable_items') / current_setting('block_size')::bigint));
begin
    -- of the same pages each time, so that the same search goes the same way
    execute format(
        'select 100 * n.passing / $2, n.passing / greatest(1, n.sampled)::double precision
         from (select count(*) filter (where true %s) as passing, count(*) as sampled
               from recsys.searchable_items item tablesample system ($2) repeatable (0)) n', conditions)
    into passing, share using filter, percent;
end $$;
