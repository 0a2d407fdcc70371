-- Private. The number stored under a key of recsys.settings.
create or replace function recsys_api._setting(key text)
returns double precision
language sql stable parallel safe
set search_path from current
as $$
    select (s.value #>> '{}')::double precision from recsys.settings s where s.key = _setting.key
$$;
