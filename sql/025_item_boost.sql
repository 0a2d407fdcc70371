-- Builds a boost for recsys_api.define_scenario: items to raise, or, with a factor below 1, to lower ("bury").
--
-- Arguments
--   filter  recsys_api.item_filter(…), with one condition at least; its rule, if it has one, must be defined
--   factor  0.001 to 1,000; scores are multiplied by it
-- Errors: RS010 for a filter without a condition or a factor out of range.
-- Example: select recsys_api.item_boost(recsys_api.item_filter(tags => '{sale}'), 1.5);
create or replace function recsys_api.item_boost(filter recsys_api.filter, factor double precision)
returns recsys_api.boost
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if item_boost.filter is null then
        raise exception using errcode = 'RS010',
            message = 'a boost has no condition',
            hint = 'Say which items it is for, as in recsys_api.item_filter(tags => ''{sale}''): a boost of all items changes no order.';
    end if;
    if factor is null or not factor between 0.001 and 1000 then
        raise exception using errcode = 'RS010',
            message = format('the factor of a boost is %s, not between 0.001 and 1000', coalesce(factor::text, 'NULL')),
            hint = 'Above 1 raises, below 1 lowers; 1.2 to 3 is common. To leave items out, use the filter.';
    end if;
    return row(item_boost.filter, factor)::recsys_api.boost;
end $$;
