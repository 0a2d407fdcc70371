-- Private. Refuses a list length that is NULL or outside 1 to 1,000 (RS010).
create or replace function recsys_api._check_length(n integer)
returns void
language plpgsql immutable parallel safe
set search_path from current
as $$
begin
    if n is null or n not between 1 and 1000 then
        raise exception using errcode = 'RS010',
            message = format('n is %s, not between 1 and 1000', coalesce(n::text, 'NULL')),
            hint = 'n is the length of the list. For more rows than 1000, ask page by page: shown_item_ids, in searches exclude_item_ids.';
    end if;
end $$;
