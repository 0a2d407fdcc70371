-- Removes a rule of recsys_api.define_rule; searches that name it fail from then on. For the owner of the schema.
--
-- Arguments: name, of the rule.
-- Errors: RS010 when name is NULL or a scenario uses the rule; RS013 when there is no such rule.
-- Example: select recsys_api.define_rule('new_arrivals', 'item.created_at > now() - interval ''30 days''');
--          select recsys_api.drop_rule('new_arrivals');
create or replace function recsys_api.drop_rule(name text)
returns void
language plpgsql volatile
set search_path from current
as $$
declare
    scenario  text;
begin
    if drop_rule.name is null then
        raise exception using errcode = 'RS010',
            message = 'name is NULL', hint = 'Pass the name of a rule, as recsys.filter_rules lists them.';
    end if;
    select s.name into scenario from recsys.scenarios s
    where s.rule = drop_rule.name
        or exists (select from recsys.scenario_boosts b where b.scenario = s.name and b.rule = drop_rule.name)
    order by s.name limit 1;
    if found then
        raise exception using errcode = 'RS010',
            message = format('the rule %s is used by the scenario %s', drop_rule.name, scenario),
            hint = 'Define the scenario without it, or drop that first: recsys_api.drop_scenario.';
    end if;
    delete from recsys.filter_rules r where r.name = drop_rule.name;
    if not found then
        perform recsys_api._rule(drop_rule.name);
    end if;
end $$;
