-- Private. The number stored under a key of recsys.settings (RS010 when the row is missing).
create or replace function recsys_api._setting(key text)
returns double precision
language plpgsql stable parallel safe
set search_path from current
as $$
declare
    number double precision;
begin
    select (s.value #>> '{}')::double precision into number from recsys.settings s where s.key = _setting.key;
    if not found then
        raise exception using errcode = 'RS010',
            message = format('the setting %s is missing', quote_literal(key)),
            hint = 'Insert it into recsys.settings again; docs/operations.md lists the defaults.';
    end if;
    return number;
end $$;
