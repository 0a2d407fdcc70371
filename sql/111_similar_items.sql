-- More like this: items that people who liked an item liked too, and items similar in content; filled up by
-- popularity when neither is known. An item that nobody knows yet is compared by content alone.
--
-- Arguments: item_id; n, the length of the list, 1 to 1,000; filter, recsys_api.item_filter(…); scenario, a name of
-- recsys_api.define_scenario, of whose controls those that need a user do nothing here.
-- Order: rank, which without a scenario is by score, highest first; ties by item_id, as in search_items. similarity is the cosine of the two embeddings, NULL without them.
-- Errors: RS002 for an unknown item; RS010 for n or a NULL item_id; RS013 for a rule that is unknown or broken; RS014 for an
-- unknown scenario.
-- Cost: about 3 ms.
-- Example: select title, similarity, reason from recsys_api.similar_items(1, n => 5);
create or replace function recsys_api.similar_items(
    item_id bigint, n integer default 10, filter recsys_api.filter default null, scenario text default null)
returns setof recsys_api.similar_item
language plpgsql stable rows 20
set search_path from current
as $$
declare
    controls  recsys_api._controls;
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_items(array[similar_items.item_id]);
    controls := recsys_api._resolve_controls(scenario,
        row(filter, null, null, null, null, null, 0, null, null, null, null, null)::recsys_api._controls);
    controls.method := 'hybrid';
    return query
        select r.rank, i.id, i.external_id, i.title, i.category, i.price, i.in_stock, r.score, r.reason,
            1 - (i.embedding <=> o.embedding)
        from recsys_api._recommend(array[similar_items.item_id], array[1.0], similar_items.n,
            recsys_api._exclude(controls.filter, array[similar_items.item_id]), controls, null, false) r
        join recsys.items i on i.id = r.item_id
        join recsys.items o on o.id = similar_items.item_id
        order by r.rank;
end $$;
