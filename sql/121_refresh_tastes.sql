-- Recomputes the mean of the catalogue's embeddings and the taste vectors of all users; returns the number of users
-- whose vector changed.
--
-- recsys-pg train calls it. recommend_for_user itself always computes the taste of its user from the latest
-- interactions; the stored vectors serve to find users with similar taste.
-- Cost: about 1.5 ms a user; readers are never blocked, writers of a user whose vector changes wait.
-- Example: select recsys_api.refresh_tastes();
create or replace function recsys_api.refresh_tastes()
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    changed bigint;
begin
    perform pg_advisory_xact_lock(hashtext('recsys_api.refresh_tastes'));
    update recsys.models m
    set center = (select avg(i.embedding) from recsys.items i where i.embedding is not null)
    where m.purpose = 'embedding' and m.is_active;

    update recsys.users u
    set embedding = t.taste, embedding_model_id = case when t.taste is not null then m.id end
    from recsys.users o
    cross join lateral (
        select recsys_api._taste(array_agg(h.item_id), array_agg(h.weight)) as taste
        from recsys_api._history(o.id) h
    ) t
    join recsys.models m on m.purpose = 'embedding' and m.is_active
    where u.id = o.id
        and ((u.embedding is null) <> (t.taste is null) or coalesce(u.embedding <=> t.taste, 0) > 1e-6);
    get diagnostics changed = row_count;
    return changed;
end $$;
