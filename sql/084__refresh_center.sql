-- Private. Recomputes the mean of the catalogue's embeddings, from which tastes are told apart.
create or replace function recsys_api._refresh_center()
returns void
language sql volatile
set search_path from current
as $$
    update recsys.models m
    set center = (select avg(i.embedding) from recsys.items i where i.embedding is not null)
    where m.purpose = 'embedding' and m.is_active
$$;
