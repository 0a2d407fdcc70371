-- Private. Evaluates a rule on a thousand items: RS013 when it fails on one, with the rule's name and the reason.
create or replace function recsys_api._try_rule(name text, canonical text, relation text)
returns void
language plpgsql stable
set search_path from current
as $$
begin
    execute format('select count(*) filter (where %s) from (select * from recsys.%I item limit 1000) item',
        canonical, relation);
exception
    when insufficient_privilege or query_canceled then
        raise;
    when others then
        raise exception using errcode = 'RS013',
            message = format('the rule %s fails on an item: %s', name, sqlerrm),
            hint = 'A search may evaluate it on any item: guard it, as in nullif(…, 0), a subquery that gives one row, '
                'or current_setting(name, true).';
end $$;
