-- Private. The k users whose stored taste vectors are nearest to a direction, with the cosine similarity.
create or replace function recsys_api._similar_tastes(taste vector, k integer, exclude_user_id bigint)
returns table (user_id bigint, similarity double precision)
language plpgsql stable rows 50
set search_path from current
set jit = off
as $$
declare
    ef_search text := coalesce(current_setting('hnsw.ef_search', true), '40');
begin
    if taste is null then
        return;
    end if;
    perform recsys_api._check_vector(taste);
    perform set_config('hnsw.ef_search', least(1000, greatest(100, 2 * k))::text, true);
    return query
        select u.id, u.similarity
        from (select u.id, 1 - (u.embedding <=> taste) as similarity
              from recsys.users u where u.embedding is not null
              order by u.embedding <=> taste limit k + 1) u
        where u.id is distinct from exclude_user_id
        order by u.similarity desc, u.id
        limit k;
    perform set_config('hnsw.ef_search', ef_search, true);
end $$;
