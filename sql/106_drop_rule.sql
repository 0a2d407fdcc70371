-- Removes a rule of recsys_api.define_rule; searches that name it fail from then on. For the owner of the schema.
--
-- Arguments: name, of the rule.
-- Errors: RS010 when name is NULL; RS013 when there is no such rule.
-- Example: select recsys_api.define_rule('new_arrivals', 'item.created_at > now() - interval ''30 days''');
--          select recsys_api.drop_rule('new_arrivals');
create or replace function recsys_api.drop_rule(name text)
returns void
language plpgsql volatile
set search_path from current
as $$
begin
    delete from recsys.filter_rules r where r.name = drop_rule.name;
    if drop_rule.name is null then
        raise exception using errcode = 'RS010',
            message = 'name is NULL', hint = 'Pass the name of a rule, as recsys.filter_rules lists them.';
    end if;
    if not found then
        perform recsys_api._rule(drop_rule.name);
    end if;
end $$;
