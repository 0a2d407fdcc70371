-- Private. The rule of a name, which the caller can apply. RS013 when there is none, or what it reads is gone; 42501
-- when the caller may not read it.
create or replace function recsys_api._rule(name text)
returns recsys.filter_rules
language plpgsql stable
set search_path from current
as $$
declare
    rule    recsys.filter_rules;
    known   text;
    parsed  refcursor;
begin
    select * into rule from recsys.filter_rules r where r.name = _rule.name;
    if not found then
        select string_agg(r.name, ', ' order by r.name) into known
        from (select f.name from recsys.filter_rules f order by f.name limit 5) r;
        raise exception using errcode = 'RS013',
            message = format('there is no rule %s', quote_literal(left(_rule.name, 100))),
            hint = format('%s The owner of the schema defines one with recsys_api.define_rule.',
                coalesce('There are: ' || known || '; all are listed in recsys.filter_rules.', 'None is defined.'));
    end if;
    -- opened, it is planned and the caller's rights are checked, but nothing runs (0.1 ms)
    open parsed for execute format('select from recsys.%I item where (%s)', rule.relation, rule.canonical);
    close parsed;
    return rule;
exception
    when insufficient_privilege then
        raise exception using errcode = '42501',
            message = format('the rule %s cannot be applied: %s', rule.name, sqlerrm),
            hint = format('A rule reads with the rights of the caller: grant role %s the right to read it.', current_user);
    when syntax_error_or_access_rule_violation or invalid_schema_name then
        raise exception using errcode = 'RS013',
            message = format('the rule %s cannot be applied: %s', rule.name, sqlerrm),
            hint = 'Restore what it reads, define it anew with recsys_api.define_rule, '
                'or drop it with recsys_api.drop_rule.';
end $$;
