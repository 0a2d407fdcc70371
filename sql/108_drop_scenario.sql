-- Removes a scenario of recsys_api.define_scenario; calls that name it fail from then on. For the owner of the schema and
-- whoever is granted it.
--
-- Arguments: name, of the scenario.
-- Errors: RS010 when name is NULL; RS014 when there is no such scenario.
-- Example: select recsys_api.define_scenario('sale', diversity => 0.5);
--          select recsys_api.drop_scenario('sale');
create or replace function recsys_api.drop_scenario(name text)
returns void
language plpgsql volatile
set search_path from current
as $$
begin
    if drop_scenario.name is null then
        raise exception using errcode = 'RS010',
            message = 'name is NULL', hint = 'Pass the name of a scenario, as recsys.scenarios lists them.';
    end if;
    delete from recsys.scenarios s where s.name = drop_scenario.name;
    if not found then
        perform recsys_api._resolve_controls(drop_scenario.name, null);
    end if;
end $$;
