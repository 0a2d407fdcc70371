-- Private. The direction of a history in the items' space: the weighted sum of its items' embeddings, from each of
-- which the mean of the catalogue is subtracted; unit length. NULL when no weight is positive or nothing is embedded. Of
-- the standby model's embeddings on demand.
create or replace function recsys_api._taste(
    item_ids bigint[], weights double precision[], is_standby boolean default false)
returns vector
language sql stable
set search_path from current
as $$
    select l2_normalize(t.taste)
    from (
        select sum(array_fill(g.weight::real, array[384])::vector * g.total) as taste
        from (
            select h.weight, sum(case when m.center is null then e.embedding else e.embedding - m.center end) as total
            from unnest(item_ids, weights) h (item_id, weight)
            join recsys.items i on i.id = h.item_id
            cross join lateral (
                select case when _taste.is_standby then i.standby_embedding else i.embedding end as embedding) e
            left join recsys.models m
                on m.purpose = 'embedding' and case when _taste.is_standby then m.is_standby else m.is_active end
            where e.embedding is not null and h.weight <> 0
            group by h.weight
        ) g
    ) t
    where vector_norm(t.taste) > 1e-6 and 0 < any (weights)
$$;
