-- Private. The k most popular items that pass a filter, most popular first; after them, the items that nobody
-- has interacted with, highest id first. Fewer than k only when fewer items pass. popularity is NULL for the latter.
create or replace function recsys_api._popular_items(k integer, filter recsys_api.filter)
returns table (item_id bigint, popularity double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
as $$
declare
    conditions text := recsys_api._filter_conditions(filter);
    found_rows integer;
begin
    return query execute format(
        'select p.item_id, p.log2_weight
         from recsys.item_popularity p join recsys.items item on item.id = p.item_id
         where true %s order by p.log2_weight desc, p.item_id limit %s', conditions, k)
    using filter;
    get diagnostics found_rows = row_count;
    if found_rows < k then
        return query execute format(
            'select item.id, null::double precision
             from recsys.items item
             where not exists (select from recsys.item_popularity p where p.item_id = item.id) %s
             order by item.id desc limit %s', conditions, k - found_rows)
        using filter;
    end if;
end $$;
