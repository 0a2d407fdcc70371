-- Private. What the active model's mean user adds to the query vector of somebody with a history of these weights: the
-- less, the more is known. NULL when the model has none, or nothing is liked.
create or replace function recsys_api._mean_query(model_id bigint, weights double precision[])
returns vector
language sql stable
set search_path from current
as $$
    select array_fill(recsys_api._mean_share(m.fade, weights)::real, array[384])::vector * m.mean_query
    from recsys.models m
    where m.id = _mean_query.model_id and m.mean_query is not null and 0 < any (weights)
$$;
