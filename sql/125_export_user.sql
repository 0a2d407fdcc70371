-- All that is kept about a user, as one JSON object: for a person's request to see it.
--
-- Arguments: user_id
-- Keys: id, external_id, attributes, created_at; taste, the vector that similar users are found by, or null, and
-- standby_taste, that of the standby embedding model; interactions, oldest first, each with item_id, item_external_id,
-- title, kind, value, event_id, occurred_at; and impressions, each with item_id, item_external_id, title, shown_at, times.
-- Errors: RS010, RS001 for a user id that is NULL or unknown.
-- Example: select jsonb_pretty(recsys_api.export_user(42));
create or replace function recsys_api.export_user(user_id bigint)
returns jsonb
language plpgsql stable
set search_path from current
as $$
begin
    perform recsys_api._check_user(export_user.user_id);
    return (
        select jsonb_build_object(
            'id', u.id, 'external_id', u.external_id, 'attributes', u.attributes, 'created_at', u.created_at,
            'taste', to_jsonb(u.embedding::real[]), 'standby_taste', to_jsonb(u.standby_embedding::real[]),
            'interactions', (
                select coalesce(jsonb_agg(jsonb_build_object('item_id', i.id, 'item_external_id', i.external_id,
                    'title', i.title, 'kind', a.kind, 'value', a.value, 'event_id', a.event_id,
                    'occurred_at', a.occurred_at) order by a.occurred_at, a.id), '[]')
                from recsys.interactions a join recsys.items i on i.id = a.item_id
                where a.user_id = u.id),
            'impressions', (
                select coalesce(jsonb_agg(jsonb_build_object('item_id', i.id, 'item_external_id', i.external_id,
                    'title', i.title, 'shown_at', s.shown_at, 'times', s.times) order by s.shown_at, i.id), '[]')
                from recsys.impressions s join recsys.items i on i.id = s.item_id
                where s.user_id = u.id))
        from recsys.users u where u.id = export_user.user_id);
end $$;
