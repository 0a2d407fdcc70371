-- Private. What the active item graph adds up to for a history: score = sum over its items of weight * edge weight.
-- A dislike counts along positive edges only: disliking one thing is no reason for its opposite.
create or replace function recsys_api._graph_scores(item_ids bigint[], weights double precision[])
returns table (item_id bigint, score double precision)
language sql stable rows 1000
set search_path from current
as $$
    select e.item_id, sum(h.weight * e.weight)
    from unnest(item_ids, weights) h (item_id, weight)
    join recsys.models m on m.purpose = 'collaborative' and m.is_active
    join recsys.item_neighbors n on n.model_id = m.id and n.item_id = h.item_id
    cross join unnest(n.neighbor_ids, n.weights) e (item_id, weight)
    where h.weight > 0 or (h.weight < 0 and e.weight > 0)
    group by e.item_id
$$;
