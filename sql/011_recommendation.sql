-- A row of recommend_for_user and recommend_for_items.
do $$
begin
    if to_regtype('recsys_api.recommendation') is null then
        create type recsys_api.recommendation as (
            rank            bigint,
            item_id         bigint,
            external_id     text,
            title           text,
            category        text,
            price           numeric,
            in_stock        boolean,
            score           double precision,
            reason          text,
            reason_item_id  bigint
        );
    end if;
end $$;
comment on type recsys_api.recommendation is
'A row of recommend_for_user and recommend_for_items.';
