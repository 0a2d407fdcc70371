-- A row of search_items and popular_items.
do $$
begin
    if to_regtype('recsys_api.found_item') is null then
        create type recsys_api.found_item as (
            rank            bigint,
            item_id         bigint,
            external_id     text,
            title           text,
            category        text,
            price           numeric,
            in_stock        boolean,
            score           double precision
        );
    end if;
end $$;
comment on type recsys_api.found_item is
'A row of search_items and popular_items.';
