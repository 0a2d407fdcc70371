-- Private. Whether what passes a filter may be looked for in recsys.searchable_items: a narrow row tells what an item is
-- like, so who may not see the item may not see it; and a rule over recsys.items may name columns that it lacks.
create or replace function recsys_api._has_copies(filter recsys_api.filter) returns boolean
language sql stable
set search_path from current
as $$
    select not row_security_active('recsys.items') and not exists (
        select from recsys.filter_rules r where r.name = (filter).rule and r.relation = 'items')
$$;
