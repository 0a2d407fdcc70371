-- Private. Runs recsys_api._search and holds it against what recsys_api._exact_answer says of the same arguments.
--
-- recall is the share of the k nearest that was found, 1 where nothing passes; an item as near as the k-th counts as one
-- of them, whichever of the equally near it is. rows_missing counts how many rows that pass were returned too few.
create or replace function recsys_api._judge_search(
    query vector, k integer, filter recsys_api.filter, rows_passing bigint, distance double precision,
    out strategy text, out recall double precision, out rows_missing bigint, out milliseconds double precision)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    started      timestamptz := clock_timestamp();
    found_ids    bigint[];
    steps        recsys_api.search_step[];
    expected     bigint := least(k, rows_passing);
    returned     bigint;
    near         bigint;
begin
    select s.ids, s.steps into found_ids, steps from recsys_api._search(query, k, filter) s;
    milliseconds := 1000 * extract(epoch from clock_timestamp() - started);
    strategy := steps[cardinality(steps)].strategy;
    execute format(
        'select count(*), count(*) filter (where (item.embedding <=> $2) + 0 <= $3)
         from recsys.items item where item.id = any ($4) and item.embedding is not null %s',
        recsys_api._filter_conditions(filter))
    into returned, near using filter, query, distance, found_ids;
    recall := coalesce(near / nullif(expected, 0)::double precision, 1);
    rows_missing := expected - returned;
end $$;
