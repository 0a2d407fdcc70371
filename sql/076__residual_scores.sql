-- Private. What is liked in a history, or what is disliked, adds to the scores of single items beyond the inner product of
-- a model's item factors.
create or replace function recsys_api._residual_scores(
    model_id bigint, decays double precision[], item_ids bigint[], weights double precision[], disliked boolean default false)
returns table (item_id bigint, score double precision)
language sql stable rows 1000
set search_path from current
as $$
    -- one look into the index for each, whatever the planner thinks of how many they are
    select e.item_id, sum(e.share * e.weight)
    from (
        select s.share, unnest(r.neighbor_ids) as item_id, unnest(r.weights) as weight
        from recsys_api._shares(decays, item_ids, weights) s
        cross join lateral (
            select r.neighbor_ids[:s.entries] as neighbor_ids, r.weights[:s.entries] as weights from recsys.item_residuals r
            where r.model_id = _residual_scores.model_id and r.item_id = s.item_id and r.scale = s.scale
            offset 0
        ) r
        where (s.share < 0) = disliked
    ) e
    group by e.item_id
$$;
