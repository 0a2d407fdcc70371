-- The items nearest in meaning to a query embedding that pass the filter.
--
-- Arguments
--   query_embedding  384 numbers, from the model that embedded the items; need not be of unit length
--   n                length of the list, 1 to 1,000
--   filter           recsys_api.item_filter(…)
-- Order: score, the cosine similarity (1 is the same direction), highest first; ties by item_id, but which of
-- equally near items are left out is open.
-- Errors: RS010 for n; RS011 for an embedding that is NULL, zero or of other dimensions;
-- RS013 for a rule that is unknown or broken.
-- Cost: a walk of the vector index; with a filter, up to a scan of the codes of all that pass, see explain_search.
-- Example: select * from recsys_api.search_items((select embedding from recsys.items where id = 1), n => 5);
create or replace function recsys_api.search_items(
    query_embedding vector, n integer default 10, filter recsys_api.filter default null)
returns setof recsys_api.found_item
language plpgsql stable rows 20
set search_path from current
as $$
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_vector(query_embedding);
    return query
        select s.position, i.id, i.external_id, i.title, i.category, i.price, i.in_stock, 1 - s.distance
        from recsys_api._nearest_items(l2_normalize(query_embedding), search_items.n, search_items.filter) with ordinality
            s (id, distance, position)
        join recsys.items i on i.id = s.id
        order by s.position;
end $$;
