-- The users whose taste is nearest to a user's.
--
-- Arguments: user_id; n, the length of the list, 1 to 1,000.
-- Order: similarity, the cosine of the taste vectors, highest first. The user's own taste is computed in the call
-- from the latest interactions; the others' as of the last training.
-- Returns no row for a user with no positive interaction with an embedded item.
-- Errors: RS001 for an unknown user; RS010 for n.
-- Example: select * from recsys_api.similar_users(42, n => 5);
create or replace function recsys_api.similar_users(user_id bigint, n integer default 10)
returns setof recsys_api.similar_user
language plpgsql stable rows 20
set search_path from current
as $$
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_user(similar_users.user_id);
    return query
        select row_number() over (order by s.similarity desc, u.id), u.id, u.external_id, s.similarity
        from (select recsys_api._taste(array_agg(h.item_id), array_agg(h.weight)) as taste
              from recsys_api._history(similar_users.user_id) h) t
        cross join lateral recsys_api._similar_tastes(t.taste, similar_users.n, similar_users.user_id) s
        join recsys.users u on u.id = s.user_id
        order by s.similarity desc, u.id;
end $$;
