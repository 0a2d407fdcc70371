-- Private. User-based collaborative filtering: the items that the users with the nearest tastes liked;
-- score = sum over those users of similarity * weight, divided by the sum of similarities.
-- Setting: user_based.neighbors.
create or replace function recsys_api._user_based_scores(taste vector, exclude_user_id bigint)
returns table (item_id bigint, score double precision, users integer)
language sql stable rows 500
set search_path from current
as $$
    with neighbors as materialized (
        select s.user_id, s.similarity
        from recsys_api._similar_tastes(
            taste, recsys_api._setting('user_based.neighbors')::integer, exclude_user_id) s
        where s.similarity > 0
    )
    select h.item_id, sum(n.similarity * h.weight) / (select sum(similarity) from neighbors),
        (count(*) filter (where h.weight > 0))::integer
    from neighbors n
    cross join lateral recsys_api._history(n.user_id) h
    group by h.item_id
    having sum(n.similarity * h.weight) > 0
$$;
