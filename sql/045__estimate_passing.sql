-- Private. About how many embedded items pass a filter, and which share of all that is: what passes on some twenty pages
-- of recsys.searchable_items, spread evenly. It only decides which way is tried first, never what is found.
-- Cost: 0.1 ms, whatever the number of items.
create or replace function recsys_api._estimate_passing(
    filter recsys_api.filter, conditions text, out passing double precision, out share double precision)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    sample record := recsys_api._page_sample(16);
begin
    execute format(
        'select $2 * n.passing, n.passing / greatest(1, n.sampled)::double precision
         from (select count(*) filter (where true %s) as passing, count(*) as sampled from %s) n',
        conditions, sample.source)
    into passing, share using filter, sample.step;
end $$;
