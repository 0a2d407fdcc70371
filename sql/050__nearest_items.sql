-- Private. The k items that pass a filter and whose embeddings are nearest to a query vector of unit length, by cosine
-- distance, nearest first: what recsys_api._search finds. Of the searches with a filter, search.sample_share are noted.
create or replace function recsys_api._nearest_items(query vector, k integer, filter recsys_api.filter)
returns table (item_id bigint, distance double precision)
language plpgsql stable rows 50
set search_path from current
as $$
declare
    found_items record;
    answer      recsys_api.search_step;
begin
    select * into found_items from recsys_api._search(query, k, filter);
    if not filter is null and random() < recsys_api._setting('search.sample_share') then
        answer := found_items.steps[cardinality(found_items.steps)];
        perform recsys_api._sample_filter(filter, answer.strategy,
            case when answer.strategy = 'exact' then answer.rows_passing end,
            (select sum(s.milliseconds) from unnest(found_items.steps) s));
    end if;
    return query
        select n.id, n.distance
        from unnest(found_items.ids, found_items.distances) with ordinality n (id, distance, position)
        order by n.position;
end $$;
