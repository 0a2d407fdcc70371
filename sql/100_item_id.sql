-- The id of the item with the application's own key.
--
-- Arguments: external_id, the key given when the item was written.
-- Errors: RS002 when no item has it.
-- Example: select recsys_api.item_id('film-the-matrix-1999');
create or replace function recsys_api.item_id(external_id text)
returns bigint
language plpgsql stable parallel safe
set search_path from current
as $$
declare
    id bigint;
begin
    select i.id into id from recsys.items i where i.external_id = item_id.external_id;
    if not found then
        raise exception using errcode = 'RS002',
            message = format('no item has the external_id %s', coalesce(quote_literal(left(external_id, 100)), 'NULL')),
            hint = 'Pass the key that the item was written with.';
    end if;
    return id;
end $$;
