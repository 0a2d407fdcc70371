-- Private. Refuses a user id that is NULL or unknown (RS010, RS001).
create or replace function recsys_api._check_user(user_id bigint)
returns void
language plpgsql stable parallel safe
set search_path from current
as $$
begin
    if user_id is null then
        raise exception using errcode = 'RS010',
            message = 'the user id is NULL',
            hint = 'Pass the id of a user; for anonymous visitors use recommend_for_items or popular_items.';
    end if;
    if not exists (select from recsys.users u where u.id = _check_user.user_id) then
        raise exception using errcode = 'RS001',
            message = format('user %s does not exist', user_id),
            hint = 'Register users with recsys_api.ensure_user, in a statement of its own; for anonymous visitors use recommend_for_items or popular_items.';
    end if;
end $$;
