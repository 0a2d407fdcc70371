-- Private. What a history adds to the scores of single items beyond the inner product of a model's item factors.
create or replace function recsys_api._residual_scores(
    model_id bigint, decays double precision[], item_ids bigint[], weights double precision[])
returns table (item_id bigint, score double precision)
language sql stable rows 1000
set search_path from current
as $$
    select e.item_id, sum(s.share * e.weight)
    from recsys_api._shares(decays, item_ids, weights) s
    join recsys.item_residuals r on r.item_id = s.item_id and r.scale = s.scale
    cross join unnest(r.neighbor_ids, r.weights) e (item_id, weight)
    where r.model_id = _residual_scores.model_id and r.item_id = any (item_ids)
    group by e.item_id
$$;
