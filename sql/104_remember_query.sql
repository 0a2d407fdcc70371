-- Keeps the embedding of a text, so that search_text finds that text by meaning from SQL alone. Python's
-- Recommender.search_text and the command recsys-pg search call it; so can a service that embeds in another language.
--
-- Arguments
--   query            what somebody typed, 1 to 1,000 characters; texts that differ in case or spaces only are one
--   query_embedding  384 numbers, from the model model_id; need not be of unit length
--   model_id         of recsys.models; NULL: the active embedding model
-- Returns whether it was kept: never on a replica, in a read-only transaction, for a role without the right to write
-- recsys.query_embeddings, or with the setting search.cached_queries at 0; nor, at times, while another transaction that
-- keeps a text is not yet committed: nobody waits for it, and one transaction takes at most 64 locks. Beyond that many texts, the least recently used make room.
-- Errors: RS010 for the text or an unknown model; RS011 for the embedding.
-- Example: select recsys_api.remember_query('a wooden train', (select embedding from recsys.items where id = 1));
create or replace function recsys_api.remember_query(query text, query_embedding vector, model_id bigint default null)
returns boolean
language plpgsql volatile
set search_path from current
as $$
declare
    key    text := recsys.text_key(query);
    model  bigint;
    bound  integer := least(1e6, recsys_api._setting('search.cached_queries'))::integer;
begin
    perform recsys_api._check_query(query);
    perform recsys_api._check_vector(query_embedding);
    select m.id into model from recsys.models m
    where m.purpose = 'embedding' and case when model_id is null then m.is_active else m.id = model_id end;
    if not found then
        raise exception using errcode = 'RS010',
            message = format('no embedding model has the id %s', coalesce(model_id::text, 'NULL, and none is active')),
            hint = 'Pass the id of an embedding model in recsys.models, or leave it out for the active one.';
    end if;
    if bound = 0 or not recsys_api._can_keep_queries()
        or not pg_try_advisory_xact_lock(hashtext('recsys.query_embeddings'), hashtext(key) & 63)
    then
        return false;
    end if;
    insert into recsys.query_embeddings as q (model_id, query, embedding)
    values (model, key, l2_normalize(query_embedding))
    on conflict on constraint query_embeddings_pkey do update
        set embedding = excluded.embedding, last_used_at = now();
    delete from recsys.query_embeddings q where q.ctid = any (array(
        select o.ctid from recsys.query_embeddings o
        where (o.last_used_at, o.query_hash) < (
            select p.last_used_at, p.query_hash from recsys.query_embeddings p
            order by p.last_used_at desc, p.query_hash desc offset bound - 1 limit 1)
        order by o.last_used_at, o.query_hash limit 100
        for update skip locked));
    return true;
end $$;
