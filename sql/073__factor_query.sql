-- Private. The query vector of what is liked in a history, or of what is disliked, in the space of a model's item factors:
-- the sum of the history vectors of these items, each times its share. NULL when the model knows none of them, or all
-- adds up to nothing.
create or replace function recsys_api._factor_query(
    model_id bigint, decays double precision[], item_ids bigint[], weights double precision[], disliked boolean default false)
returns vector
language sql stable
set search_path from current
as $$
    select q.query
    from (
        select sum(array_fill(g.share::real, array[384])::vector * g.total) as query
        from (
            select s.scale, s.share, sum(f.history[s.scale]::vector) as total
            from recsys_api._shares(decays, item_ids, weights) s
            cross join lateral (
                select f.history from recsys.item_factors f
                where f.model_id = _factor_query.model_id and f.item_id = s.item_id
                offset 0
            ) f
            where (s.share < 0) = disliked
            group by s.scale, s.share
        ) g
    ) q
    where vector_norm(q.query) > 1e-6
$$;
