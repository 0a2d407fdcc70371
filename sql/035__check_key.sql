-- Private. Refuses an application's key that is not of 1 to 255 characters, NULL excepted (RS010).
create or replace function recsys_api._check_key(name text, key text)
returns void
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if length(key) not between 1 and 255 then
        raise exception using errcode = 'RS010',
            message = format('%s has %s characters, not 1 to 255', name, length(key)),
            hint = 'Pass the key that your application knows it by, or a hash of it.';
    end if;
end $$;
