-- Private. The embedding of a text by the active model, if it is kept in recsys.query_embeddings; else NULL.
create or replace function recsys_api._query_embedding(query text)
returns vector
language sql stable
set search_path from current
as $$
    select q.embedding
    from recsys.query_embeddings q
    join recsys.models m on m.id = q.model_id and m.purpose = 'embedding' and m.is_active
    where q.query_hash = md5(recsys.text_key(_query_embedding.query))::uuid
$$;
