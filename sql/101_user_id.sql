-- The id of the user with the application's own key.
--
-- Arguments: external_id, the key given when the user was registered.
-- Errors: RS001 when no user has it.
-- Example: select recsys_api.user_id('customer-17');
create or replace function recsys_api.user_id(external_id text)
returns bigint
language plpgsql stable parallel safe
set search_path from current
as $$
declare
    id bigint;
begin
    select u.id into id from recsys.users u where u.external_id = user_id.external_id;
    if not found then
        raise exception using errcode = 'RS001',
            message = format('no user has the external_id %s', coalesce(quote_literal(left(external_id, 100)), 'NULL')),
            hint = 'Pass the key that the user was registered with, or register it with recsys_api.ensure_user.';
    end if;
    return id;
end $$;
