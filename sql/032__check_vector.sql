-- Private. Refuses a query vector that is NULL, zero, or not of 384 dimensions (RS011).
-- It also loads the vector library into the session, before which hnsw.* cannot be set by a plain role.
create or replace function recsys_api._check_vector(query vector)
returns void
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if query is null then
        raise exception using errcode = 'RS011',
            message = 'the query embedding is NULL',
            hint = 'Pass a vector of 384 numbers; an item that the worker has not embedded yet has none.';
    end if;
    if vector_dims(query) <> 384 then
        raise exception using errcode = 'RS011',
            message = format('the query embedding has %s dimensions, not 384', vector_dims(query)),
            hint = 'Embed the query with the model that embedded the items.';
    end if;
    if vector_norm(query) = 0 or vector_norm(query) = 'Infinity' then
        raise exception using errcode = 'RS011',
            message = format('the query embedding has length %s, so it has no direction', vector_norm(query)),
            hint = 'Pass a vector with at least one component that is not 0, none of them huge.';
    end if;
end $$;
