-- A row of similar_items.
do $$
begin
    if to_regtype('recsys_api.similar_item') is null then
        create type recsys_api.similar_item as (
            rank            bigint,
            item_id         bigint,
            external_id     text,
            title           text,
            category        text,
            price           numeric,
            in_stock        boolean,
            score           double precision,
            reason          text,
            similarity      double precision
        );
    end if;
end $$;
comment on type recsys_api.similar_item is
'A row of similar_items.';
