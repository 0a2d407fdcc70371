-- The id of a user, who is registered if new. Safe to call again and from many sessions at once.
--
-- Arguments: external_id, the application's own text or uuid key; or user_id, its own number.
-- Errors: RS010 when not exactly one of the two is given, external_id is not of 1 to 255 characters, or the generated ids run into given ones.
-- Example: select recsys_api.ensure_user('customer-17');
create or replace function recsys_api.ensure_user(external_id text default null, user_id bigint default null)
returns bigint
language plpgsql volatile
set search_path from current
as $$
#variable_conflict use_column
declare
    id bigint;
begin
    if (ensure_user.external_id is null) = (ensure_user.user_id is null) then
        raise exception using errcode = 'RS010',
            message = 'ensure_user takes either external_id or user_id',
            hint = 'Pass the key that your application knows the user by, and only that.';
    end if;
    perform recsys_api._check_key('external_id', ensure_user.external_id);
    if ensure_user.user_id is not null then
        insert into recsys.users (id) values (ensure_user.user_id) on conflict (id) do nothing;
        return ensure_user.user_id;
    end if;
    for attempt in 1 .. 2 loop
        select u.id into id from recsys.users u where u.external_id = ensure_user.external_id;
        exit when found;
        begin
            insert into recsys.users as u (external_id) values (ensure_user.external_id)
            on conflict (external_id) do nothing returning u.id into id;
        exception when unique_violation then
            raise exception using errcode = 'RS010',
                message = 'the next generated user id is taken: users were written with ids of their own',
                hint = 'Run: select setval(pg_get_serial_sequence(''recsys.users'', ''id''), (select max(id) from recsys.users));';
        end;
        exit when id is not null;
    end loop;
    if id is null then
        raise exception using errcode = 'RS010',
            message = format('external_id %s belongs to a user that this role may not see',
                quote_literal(left(ensure_user.external_id, 100))),
            hint = 'Check the row-level security policies of recsys.users.';
    end if;
    return id;
end $$;
