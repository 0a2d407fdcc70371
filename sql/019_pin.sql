-- An item and its place in a list; build it with recsys_api.item_pin.
do $$
begin
    if to_regtype('recsys_api.pin') is null then
        create type recsys_api.pin as (
            item_id   bigint,
            place     integer
        );
    end if;
end $$;
comment on type recsys_api.pin is
'An item and the place of a list, counted from 1, that is its own. Built by recsys_api.item_pin.';
