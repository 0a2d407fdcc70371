-- Private. The factors that a model gives to items for what they are: their embedding and fields, through the map that was
-- learned with it. Items that it can say nothing about are left out.
create or replace function recsys_api._mapped_factors(model_id bigint, item_ids bigint[])
returns table (item_id bigint, target halfvec, history halfvec[])
language sql stable rows 100
set search_path from current
as $$
    with item as materialized (
        select i.id, i.embedding, recsys_api._features(i.category, i.tags, i.attributes) as features
        from recsys.items i where i.id = any (item_ids)
    ),
    parts as materialized (
        -- part 0 is the target, the others are the history vectors
        select p.id, p.part, sum(p.vector) as vector
        from (
            select i.id, w.part, array_agg((w.bias - (w.weights <#> i.embedding))::real order by w.dimension)::vector as vector
            from item i cross join recsys.content_maps w
            where w.model_id = _mapped_factors.model_id and i.embedding is not null
            group by i.id, w.part
            union all
            select i.id, f.part, f.factors
            from item i join recsys.content_features f on f.feature = any (i.features)
            where f.model_id = _mapped_factors.model_id
        ) p
        group by p.id, p.part
    )
    select t.id,
        -- no longer than the longest that was learned
        (case when l.length > 1 then array_fill((1 / l.length)::real, array[384])::vector * t.vector
            else t.vector end)::halfvec,
        (select array_agg(h.vector::halfvec order by h.part) from parts h where h.id = t.id and h.part > 0)
    from parts t
    cross join lateral (select vector_norm(t.vector) as length) l
    where t.part = 0
$$;
