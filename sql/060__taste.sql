-- Private. The direction of a history in the items' space: the weighted sum of its items' embeddings, from each of
-- which the mean of the catalogue is subtracted; unit length. NULL when no weight is positive or nothing is embedded.
create or replace function recsys_api._taste(item_ids bigint[], weights double precision[])
returns vector
language sql stable
set search_path from current
as $$
    select l2_normalize(t.taste)
    from (
        select sum(array_fill(g.weight::real, array[384])::vector * g.total) as taste
        from (
            select h.weight, sum(case when m.center is null then i.embedding else i.embedding - m.center end) as total
            from unnest(item_ids, weights) h (item_id, weight)
            join recsys.items i on i.id = h.item_id
            left join recsys.models m on m.purpose = 'embedding' and m.is_active
            where i.embedding is not null and h.weight <> 0
            group by h.weight
        ) g
    ) t
    where vector_norm(t.taste) > 1e-6 and 0 < any (weights)
$$;
