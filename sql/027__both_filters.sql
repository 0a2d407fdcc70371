-- Private. The filter that lets pass what two filters let pass.
-- RS010 where one value cannot say both: two rules, or two values of one attribute.
create or replace function recsys_api._both_filters(one recsys_api.filter, other recsys_api.filter)
returns recsys_api.filter
language plpgsql immutable parallel safe
set search_path from current
as $$
declare
    clash  text;
begin
    if one is null or other is null then
        return case when one is null then other else one end;
    end if;
    if one.rule <> other.rule then
        raise exception using errcode = 'RS010',
            message = format('the call filters by the rule %s and the scenario by the rule %s', one.rule, other.rule),
            hint = 'Define one rule that says both, and name it in one of the two.';
    end if;
    select a.key into clash from jsonb_each(one.attributes) a
    where other.attributes -> a.key <> a.value order by a.key limit 1;
    if found then
        raise exception using errcode = 'RS010',
            message = format('the call and the scenario filter by different values of the attribute %s', quote_literal(clash)),
            hint = 'Leave the attribute out of one of the two.';
    end if;
    -- no item is both in stock and out of stock
    if one.in_stock <> other.in_stock then
        one.item_ids := '{}';
    end if;
    one.in_stock := coalesce(one.in_stock, other.in_stock);
    if one.categories is not null and other.categories is not null then
        one.categories := array(select c.category from unnest(one.categories) c (category)
            where c.category = any (other.categories));
    else
        one.categories := coalesce(one.categories, other.categories);
    end if;
    if one.item_ids is not null and other.item_ids is not null then
        one.item_ids := array(select i.id from unnest(one.item_ids) i (id) intersect select unnest(other.item_ids));
    else
        one.item_ids := coalesce(one.item_ids, other.item_ids);
    end if;
    one.min_price := greatest(one.min_price, other.min_price);
    one.max_price := least(one.max_price, other.max_price);
    one.rule := coalesce(one.rule, other.rule);
    if other.tags is not null then
        one.tags := coalesce(one.tags, '{}') || other.tags;
    end if;
    if other.attributes is not null then
        one.attributes := coalesce(one.attributes, '{}') || other.attributes;
    end if;
    if other.exclude_item_ids is not null then
        one.exclude_item_ids := coalesce(one.exclude_item_ids, '{}') || other.exclude_item_ids;
    end if;
    return one;
end $$;
