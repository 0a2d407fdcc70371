-- Private. About how many embedded items pass a filter, and which share of all that is: what passes on some twenty pages
-- of recsys.searchable_items, spread evenly. It only decides which way is tried first, never what is found.
-- Cost: 0.1 ms, whatever the number of items; tablesample would look at the number of every page.
create or replace function recsys_api._estimate_passing(
    filter recsys_api.filter, conditions text, out passing double precision, out share double precision)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    pages bigint := pg_relation_size('recsys.searchable_items') / current_setting('block_size')::bigint;
    step  bigint := greatest(1, pages / 16);
begin
    -- of the same pages each time, so that the same search goes the same way
    execute format(
        'select $2 * n.passing, n.passing / greatest(1, n.sampled)::double precision
         from (select count(*) filter (where true %s) as passing, count(*) as sampled
               from generate_series($2 / 2, $3, $2) page,
                   lateral (select * from recsys.searchable_items s
                            where s.ctid >= (''('' || page || '',0)'')::tid and s.ctid < (''('' || page + 1 || '',0)'')::tid
                            offset 0) item) n', conditions)
    into passing, share using filter, step, pages - 1;
end $$;
