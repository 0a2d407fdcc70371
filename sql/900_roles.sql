-- The two roles that applications and BI tools connect as, or that their own roles are members of. They have no
-- password: set one, or grant the role to your own. Where the caller may not create roles, they are left out.
do $$
declare
    role_name    text;
    object       record;
    has_app      boolean;
    has_reporter boolean;
begin
    foreach role_name in array array['recsys_app', 'recsys_reporter'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            begin
                execute format('create role %I login', role_name);
                if role_name = 'recsys_reporter' then
                    alter role recsys_reporter set statement_timeout = '30s';
                    alter role recsys_reporter set default_transaction_read_only = on;
                end if;
            exception
                when insufficient_privilege then
                    raise notice 'role % is missing and this role may not create it', role_name;
                when duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;
    has_app := exists (select from pg_roles where rolname = 'recsys_app');
    has_reporter := exists (select from pg_roles where rolname = 'recsys_reporter');

    revoke all on schema recsys, recsys_api, recsys_report from public;

    -- ours only: what users built beside them has grants of its own
    for object in select o.kind, o.name, o.identity from recsys.api_objects o where o.kind <> 'type' loop
        if object.kind = 'function' then
            execute format('revoke all on function %s from public', object.identity);
            if has_app and object.name not in (
                'recsys_api.refresh_popularity', 'recsys_api.refresh_tastes', 'recsys_api.refresh_copies',
                'recsys_api._refresh_center', 'recsys_api._refresh_tastes', 'recsys_api._refresh_due_tastes',
                'recsys_api.refresh_item_factors', 'recsys_api._classify_lengths',
                'recsys_api.activate_model', 'recsys_api._activate_model', 'recsys_api.forget_user',
                'recsys_api.define_rule', 'recsys_api.drop_rule', 'recsys_api.define_scenario',
                'recsys_api.drop_scenario', 'recsys_api.check_recall',
                'recsys_api._recall_searches') then
                execute format('grant execute on function %s to recsys_app', object.identity);
            end if;
        elsif has_reporter then
            execute format('grant select on %s to recsys_reporter', object.identity);
        end if;
    end loop;
    if has_app then
        grant usage on schema recsys, recsys_api to recsys_app;
        grant select on recsys.items, recsys.searchable_items, recsys.standby_searchable_items, recsys.item_texts, recsys.users, recsys.interactions,
            recsys.interaction_kinds, recsys.item_neighbors, recsys.item_factors, recsys.item_residuals,
            recsys.item_popularity, recsys.models, recsys.settings, recsys.filter_rules,
            recsys.search_indexes, recsys.deferred_indexes, recsys.catalogue_language, recsys.scenarios, recsys.scenario_boosts,
            recsys.scenario_pins to recsys_app;
        grant select, insert, update, delete on recsys.impressions to recsys_app;
        grant select, insert, update, delete on recsys.query_embeddings to recsys_app;
        grant insert on recsys.interactions to recsys_app;
        grant insert (id, external_id, attributes), update (attributes) on recsys.users to recsys_app;
    end if;
    if has_reporter then
        grant usage on schema recsys_report to recsys_reporter;
    end if;
end $$;
