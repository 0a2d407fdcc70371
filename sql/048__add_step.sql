-- Private. The steps of a search with one more, which started at a time and ends now.
create or replace function recsys_api._add_step(
    steps recsys_api.search_step[], strategy text, rows_compared bigint, rows_passing bigint, started timestamptz)
returns recsys_api.search_step[]
language plpgsql volatile parallel safe
set search_path from current
as $$
begin
    return steps || row(coalesce(cardinality(steps), 0) + 1, strategy, rows_compared, rows_passing,
        (1000 * extract(epoch from clock_timestamp() - started))::double precision)::recsys_api.search_step;
end $$;
