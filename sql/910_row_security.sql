-- Under row-level security on recsys.items, the copies of its rows must not show what the policies hide. Roles that the
-- policies apply to see nothing of recsys.searchable_items, and searches read recsys.items for them; of recsys.item_texts,
-- recsys.item_factors and recsys.item_residuals they see what they see of the items. None is secured without need, since
-- behind a policy the operators that are not leakproof (tags @>, attributes @>, words @@) use no index.
do $$
declare
    is_secured boolean := (select c.relrowsecurity from pg_class c where c.oid = 'recsys.items'::regclass);
    copy       regclass;
begin
    foreach copy in array array['recsys.searchable_items', 'recsys.standby_searchable_items', 'recsys.item_texts',
        'recsys.item_factors', 'recsys.item_residuals']::regclass[] loop
        continue when is_secured = (select c.relrowsecurity from pg_class c where c.oid = copy);
        execute format('alter table %s %s row level security', copy,
            case when is_secured then 'enable' else 'disable' end);
    end loop;
end $$;
