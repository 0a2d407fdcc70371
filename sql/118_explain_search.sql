-- How search_items finds its rows: each step that it took, the last of which gave the answer. The search really runs.
--
-- Arguments: as for search_items.
-- Columns
--   step           1, 2, …
--   strategy       partial_index: an index built by recsys-pg indexes was walked, and cut by the filter;
--                  exact: few pass, and all their vectors were compared;
--                  index_walk: the items nearest to the query were looked up, and cut by the filter;
--                  code_scan: the codes of all that pass were compared, and the vectors of the best;
--                  full_scan: the vectors of all that pass were compared
--   rows_compared  vectors compared with the query
--   rows_passing   rows found to pass the filter; of a scan, all that pass
--   milliseconds   time of the step
-- Order: step.
-- Errors: RS010 for n; RS011 for an embedding that is NULL, zero or of other dimensions;
-- RS013 for a rule that is unknown or broken.
-- Cost: that of search_items, and of counting what passes.
-- Example: select * from recsys_api.explain_search((select embedding from recsys.items where id = 1),
--              n => 10, filter => recsys_api.item_filter(max_price => 20));
create or replace function recsys_api.explain_search(
    query_embedding vector, n integer default 10, filter recsys_api.filter default null)
returns setof recsys_api.search_step
language plpgsql stable rows 5
set search_path from current
as $$
declare
    passing bigint;
    taken   recsys_api.search_step;
begin
    perform recsys_api._check_length(explain_search.n);
    perform recsys_api._check_vector(query_embedding);
    for taken in
        select t.*
        from recsys_api._search(l2_normalize(query_embedding), explain_search.n, explain_search.filter) s,
            unnest(s.steps) t
        order by t.step
    loop
        if taken.rows_passing is null then
            execute format('select count(*) from recsys.items item where item.embedding is not null %s',
                recsys_api._filter_conditions(explain_search.filter))
            into passing using explain_search.filter;
            taken.rows_passing := passing;
            taken.rows_compared := coalesce(taken.rows_compared, passing);
        end if;
        return next taken;
    end loop;
end $$;
