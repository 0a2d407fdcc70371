-- A row of search_text.
do $$
begin
    if to_regtype('recsys_api.text_match') is null then
        create type recsys_api.text_match as (
            rank                 bigint,
            item_id              bigint,
            external_id          text,
            title                text,
            category             text,
            price                numeric,
            in_stock             boolean,
            score                double precision,
            reason               text,
            words_rank           bigint,
            meaning_rank         bigint,
            searched_by_meaning  boolean
        );
    end if;
end $$;
comment on type recsys_api.text_match is
'A row of search_text.';
