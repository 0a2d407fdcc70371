-- Private. The items not to show to a user: those hidden by a dislike or the like and, if asked, those consumed.
create or replace function recsys_api._hidden_items(user_id bigint, exclude_seen boolean)
returns bigint[]
language sql stable
set search_path from current
as $$
    select coalesce(array_agg(distinct i.item_id), '{}')
    from recsys.interactions i
    join recsys.interaction_kinds k on k.kind = i.kind
    where i.user_id = _hidden_items.user_id and (k.hides_item or (exclude_seen and k.is_consumption))
$$;
