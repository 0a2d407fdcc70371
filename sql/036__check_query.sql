-- Private. Refuses a text to search for that is NULL, blank or longer than 1,000 characters (RS010).
create or replace function recsys_api._check_query(query text)
returns void
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if query is null then
        raise exception using errcode = 'RS010',
            message = 'the query is NULL',
            hint = 'Pass the text that somebody typed; without one, popular_items lists something.';
    end if;
    if length(query) > 1000 then
        raise exception using errcode = 'RS010',
            message = format('the query has %s characters, more than 1000', length(query)),
            hint = 'Pass what somebody typed, or the first words of a text; for items like an item use similar_items.';
    end if;
    if query !~ E'\\S' then
        raise exception using errcode = 'RS010',
            message = format('the query is blank: %s', quote_literal(left(query, 40))),
            hint = 'Pass at least one word; without one, popular_items lists something.';
    end if;
end $$;
