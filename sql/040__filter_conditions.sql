-- Private. The conditions of a filter as SQL over recsys.items item, with the filter itself as parameter $1.
-- Holds no value of the filter, only fixed text; the values arrive as a parameter and are constants to the planner.
-- The one text from elsewhere is the predicate of a rule, as recsys_api.define_rule has checked and printed it.
create or replace function recsys_api._filter_conditions(filter recsys_api.filter)
returns text
language sql stable
set search_path from current
as $$
    select concat(
        case when (filter).categories is not null then ' and item.category = any (($1).categories)' end,
        case when (filter).in_stock then ' and item.in_stock'
            when not (filter).in_stock then ' and not item.in_stock' end,
        case when (filter).min_price is not null then ' and item.price >= ($1).min_price' end,
        case when (filter).max_price is not null then ' and item.price <= ($1).max_price' end,
        case when (filter).tags is not null then ' and item.tags @> ($1).tags' end,
        case when (filter).attributes is not null then ' and item.attributes @> ($1).attributes' end,
        case when (filter).rule is not null then
            format(' and (%s)', (recsys_api._rule((filter).rule)).canonical) end,
        case when (filter).item_ids is not null then ' and item.id = any (($1).item_ids)' end,
        case when cardinality((filter).exclude_item_ids) > 0
            then ' and item.id <> all (($1).exclude_item_ids)' end)
$$;
