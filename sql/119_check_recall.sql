-- Checks on your own data whether searches find what they should, against exact scans; recsys-pg recall shows it.
--
-- Searches are made of queries and filters. One query in two is a random item, which is left out of the answer; the
-- others are kept texts and tastes of users, which are harder to find things for, or means of items where there are none.
-- One search in eight has no filter; three in eight have filters that searches really had (the sample that recsys-pg
-- indexes advises from), as far as there are; the others have filters made from the catalogue, of categories, tags,
-- stock, prices and ids, near the query, far from it and neither, from few items that pass to nearly all.
-- Each result is kept as rows of recsys.recall_checks, shown by recsys_report.recall_checks; not on a replica and not in
-- a read-only transaction, where it is only returned.
--
-- Arguments
--   sample  searches to run, 1 to 10,000
--   n       length of the lists, 1 to 1000
-- Columns
--   band          share of the embedded items that pass the filter
--   strategy      how the search found its answer, see explain_search
--   searches      searches of this band and strategy
--   recall        mean share of the n nearest that was found; items as near as the n-th count as equal
--   worst_recall  the same of the search that found least
--   rows_missing  rows returned too few, in all: 0, or something is broken
--   milliseconds  median time of a search
-- Order: widest band first, then strategy.
-- Searches with a rule that fails here, as one that needs a setting of the application, are left out, with a warning.
-- Errors: RS010 for sample, for n, and when no item has an embedding.
-- Cost: for each search a scan of recsys.items and 1.5 µs an item that passes: with 200 searches about 30 s for 200,000
-- items, and 3 minutes for a million that are in memory. For the owner of the schema.
-- Example: select * from recsys_api.check_recall(sample => 50);
create or replace function recsys_api.check_recall(sample integer default 200, n integer default 10)
returns table (
    band text, strategy text, searches bigint, recall double precision, worst_recall double precision,
    rows_missing bigint, milliseconds double precision)
language plpgsql volatile rows 15
set search_path from current
as $$
declare
    -- each band with the share of items that it begins at
    bands       text[] := array[
        '100 %', '50 to 100 %', '10 to 50 %', '3 to 10 %', '1 to 3 %', '0.1 to 1 %', 'below 0.1 %'];
    bounds      double precision[] := array[1, 0.5, 0.1, 0.03, 0.01, 0.001, 0];
    checked_at  timestamptz := clock_timestamp();
    items       bigint;
    shares      double precision[];
    asked       record;
    judged      record;
    line        record;
    places      integer[] := '{}';
    strategies  text[] := '{}';
    recalls     double precision[] := '{}';
    missing     bigint[] := '{}';
    times       double precision[] := '{}';
begin
    if sample is null or sample not between 1 and 10000 then
        raise exception using errcode = 'RS010',
            message = format('sample is %s, not between 1 and 10000', coalesce(sample::text, 'NULL')),
            hint = 'sample is the number of searches to run; 200 tell enough.';
    end if;
    perform recsys_api._check_length(check_recall.n);
    items := (select count(*) from recsys.items i where i.embedding is not null);
    if items = 0 then
        raise exception using errcode = 'RS010',
            message = 'no item has an embedding, so there is no search to check',
            hint = 'Embed the catalogue: recsys-pg worker --once.';
    end if;

    -- of eight searches one without a filter, three with real filters, four that ask for a share of each band in turn
    shares := array(
        select case when g % 8 = 0 then 1
            when g % 8 > 3 then b.lower * power(bounds[b.place - 1] / b.lower, random()) end
        from generate_series(0, sample - 1) g
        cross join lateral (select 2 + (g / 8 * 4 + g % 4) % 6 as place) p
        cross join lateral (select p.place, greatest(bounds[p.place], 0.0001) as lower) b
        order by g);
    for asked in select s.query, s.filter from recsys_api._recall_searches(shares) s loop
        begin
            -- one statement, so that search and scan see the same items
            select t.rows_passing, j.* into judged
            from recsys_api._exact_answer(asked.query, check_recall.n, asked.filter) t,
                recsys_api._judge_search(asked.query, check_recall.n, asked.filter, t.rows_passing, t.distance) j;
        exception when others then
            if (asked.filter).rule is null then
                raise;
            end if;
            raise warning 'a search with the rule % is left out: %', (asked.filter).rule, sqlerrm;
            continue;
        end;
        -- an item that is the query is left out of its answer
        places := places || (select min(b.place) from unnest(bounds) with ordinality b (bound, place)
                             where b.bound = 0 or judged.rows_passing >= b.bound * (items - 1))::integer;
        strategies := strategies || judged.strategy;
        recalls := recalls || judged.recall;
        missing := missing || judged.rows_missing;
        times := times || judged.milliseconds;
    end loop;

    for line in
        select f.place, f.strategy, count(*) as searches, avg(f.recall) as recall, min(f.recall) as worst_recall,
            sum(f.missing)::bigint as rows_missing, percentile_cont(0.5) within group (order by f.time) as milliseconds
        from unnest(places, strategies, recalls, missing, times) f (place, strategy, recall, missing, time)
        group by f.place, f.strategy
        order by f.place, f.strategy
    loop
        band := bands[line.place];
        strategy := line.strategy;
        searches := line.searches;
        recall := line.recall;
        worst_recall := line.worst_recall;
        rows_missing := line.rows_missing;
        milliseconds := line.milliseconds;
        if not current_setting('transaction_read_only')::boolean then
            insert into recsys.recall_checks values (
                checked_at, band, strategy, check_recall.n, items, searches, recall, worst_recall, rows_missing,
                milliseconds);
        end if;
        return next;
    end loop;
end $$;
