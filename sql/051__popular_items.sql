-- Private. The k most popular items that pass a filter, most popular first; after them, the items that nobody
-- has interacted with, highest id first. Fewer than k only when fewer items pass. popularity is NULL for the latter.
-- With more, only those that pass this filter too; with full_categories, none of these categories.
create or replace function recsys_api._popular_items(
    k integer, filter recsys_api.filter, more recsys_api.filter default null, full_categories text[] default null)
returns table (item_id bigint, popularity double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
as $$
declare
    conditions text := concat(recsys_api._filter_conditions(filter),
        case when not more is null then recsys_api._filter_conditions(more, 2) end,
        case when full_categories is not null then ' and (item.category is null or item.category <> all ($3))' end);
    found_rows integer;
begin
    return query execute format(
        'select p.item_id, p.log2_weight
         from recsys.item_popularity p join recsys.items item on item.id = p.item_id
         where true %s order by p.log2_weight desc, p.item_id limit %s', conditions, k)
    using filter, more, full_categories;
    get diagnostics found_rows = row_count;
    if found_rows < k then
        return query execute format(
            'select item.id, null::double precision
             from recsys.items item
             where not exists (select from recsys.item_popularity p where p.item_id = item.id) %s
             order by item.id desc limit %s', conditions, k - found_rows)
        using filter, more, full_categories;
    end if;
end $$;
