-- Private. Whether the embedding of a text is kept for the active model; at most once a day it is marked as used, which
-- keeps it longer. Writes nothing where nothing can be written.
create or replace function recsys_api._use_query(query text)
returns boolean
language plpgsql volatile
set search_path from current
as $$
declare
    kept  record;
begin
    perform recsys_api._check_query(_use_query.query);
    select q.model_id, q.query_hash, q.last_used_at < now() - interval '1 day' as is_stale into kept
    from recsys.query_embeddings q
    join recsys.models m on m.id = q.model_id and m.purpose = 'embedding' and m.is_active
    where q.query_hash = md5(recsys.text_key(_use_query.query))::uuid;
    if kept.is_stale and recsys_api._can_keep_queries() then
        update recsys.query_embeddings q set last_used_at = now()
        where q.ctid = any (array(
            select o.ctid from recsys.query_embeddings o
            where o.model_id = kept.model_id and o.query_hash = kept.query_hash
            for update skip locked));
    end if;
    return kept.model_id is not null;
end $$;
