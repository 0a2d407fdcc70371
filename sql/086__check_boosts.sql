-- Private. Refuses boosts that recsys_api.item_boost would not build, whose rules are unknown or broken, or that are too
-- many (RS010, RS013).
create or replace function recsys_api._check_boosts(boosts recsys_api.boost[])
returns void
language plpgsql stable
set search_path from current
as $$
declare
    rule  recsys_api.boost;
begin
    if cardinality(boosts) > 20 or array_ndims(boosts) > 1 then
        raise exception using errcode = 'RS010',
            message = case when array_ndims(boosts) > 1 then 'boosts is an array of arrays'
                else format('there are %s boosts, not at most 20', cardinality(boosts)) end,
            hint = 'Boost what has one factor together: a rule of recsys_api.define_rule may say several things.';
    end if;
    foreach rule in array coalesce(boosts, '{}') loop
        perform recsys_api.item_boost(rule.filter, rule.factor);
        perform recsys_api._filter_conditions(rule.filter);
    end loop;
end $$;
