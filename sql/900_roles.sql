-- The two roles that applications and BI tools connect as, or that their own roles are members of. They have no
-- password: set one, or grant the role to your own. Where the caller may not create roles, they are left out.
do $$
declare
    role_name text;
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

    revoke all on schema recsys, recsys_api, recsys_report from public;
    revoke all on all functions in schema recsys_api from public;

    if exists (select from pg_roles where rolname = 'recsys_app') then
        grant usage on schema recsys, recsys_api to recsys_app;
        grant execute on all functions in schema recsys_api to recsys_app;
        revoke execute on function recsys_api.refresh_popularity, recsys_api.refresh_tastes from recsys_app;
        grant select on recsys.items, recsys.users, recsys.interactions, recsys.interaction_kinds,
            recsys.item_neighbors, recsys.item_popularity, recsys.models, recsys.settings to recsys_app;
        grant insert on recsys.interactions to recsys_app;
        grant insert (id, external_id, attributes), update (attributes) on recsys.users to recsys_app;
    end if;
    if exists (select from pg_roles where rolname = 'recsys_reporter') then
        grant usage on schema recsys_report to recsys_reporter;
        grant select on all tables in schema recsys_report to recsys_reporter;
    end if;
end $$;
