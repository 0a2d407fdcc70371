-- Private. Recomputes the taste vectors of the users from one id to another, both included; returns the number of users
-- whose vector changed. One that has moved by less than .8 degrees stays: whom it is near to is the same, and each row that is
-- written costs some milliseconds for the vector index.
create or replace function recsys_api._refresh_tastes_between(first_id bigint, last_id bigint)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    changed bigint;
begin
    update recsys.users u
    set embedding = t.taste, embedding_model_id = case when t.taste is not null then m.id end
    from recsys.users o
    cross join lateral (
        select recsys_api._taste(array_agg(h.item_id), array_agg(h.weight)) as taste
        from recsys_api._history(o.id) h
    ) t
    join recsys.models m on m.purpose = 'embedding' and m.is_active
    where o.id between first_id and last_id and u.id = o.id
        and ((u.embedding is null) <> (t.taste is null) or coalesce(u.embedding <=> t.taste, 0) > 1e-4);
    get diagnostics changed = row_count;
    return changed;
end $$;
