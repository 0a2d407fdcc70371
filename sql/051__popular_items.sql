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
    conditions text := recsys_api._filter_conditions(filter);
    rule       recsys_api.filter;
    found_rows integer;
begin
    if more is distinct from null then
        -- but for its rule, the text holds nothing of the filter's
        rule.rule := more.rule;
        more.rule := null;
        conditions := conditions || replace(recsys_api._filter_conditions(more), '($1)', '($2)')
            || recsys_api._filter_conditions(rule);
    end if;
    if full_categories is not null then
        conditions := conditions || ' and (item.category is null or item.category <> all ($3))';
    end if;
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
