-- Private. What a user's latest interactions say, summed by item and limited to -1 … 1; most recent item first.
-- Setting: history.length, the number of interactions looked at.
create or replace function recsys_api._history(user_id bigint)
returns table (item_id bigint, weight double precision, occurred_at timestamptz)
language sql stable rows 50
set search_path from current
as $$
    -- rounded, so that what cancels out is 0 and not a rest of rounding that counts as liking
    select h.item_id, greatest(-1, least(1, round(sum(h.weight)::numeric, 6)::double precision)), max(h.occurred_at)
    from (
        select i.item_id, i.id, i.occurred_at,
            recsys_api._interaction_weight(k.weight, k.value_center, i.value) as weight
        from (
            select i.item_id, i.id, i.kind, i.value, i.occurred_at
            from recsys.interactions i
            where i.user_id = _history.user_id
            order by i.occurred_at desc, i.id desc
            limit recsys_api._setting('history.length')::integer
        ) i
        join recsys.interaction_kinds k on k.kind = i.kind
    ) h
    group by h.item_id
    order by max(h.occurred_at) desc, max(h.id) desc
$$;
