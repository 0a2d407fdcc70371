-- Private. The truth to hold a search against, from a scan of recsys.items: how many embedded items pass a filter, and
-- the distance of the k-th nearest to a query vector of unit length, of the last one when fewer pass.
-- Cost: one scan of recsys.items, and about 1.5 µs an item that passes.
create or replace function recsys_api._exact_answer(
    query vector, k integer, filter recsys_api.filter, out rows_passing bigint, out distance double precision)
returns record
language plpgsql stable
set search_path from current
set jit = off
as $$
begin
    execute format(
        'with passing as materialized (
             select (item.embedding <=> $2) + 0 as distance
             from recsys.items item where item.embedding is not null %s)
         select count(*),
             (select max(n.distance) from (select p.distance from passing p order by p.distance limit %s) n)
         from passing', recsys_api._filter_conditions(filter), k)
    into rows_passing, distance using filter, query;
end $$;
