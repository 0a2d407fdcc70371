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
            reason_item_id  bigint,
            placement       text
        );
    elsif not exists (select from pg_attribute a join pg_type t on t.typrelid = a.attrelid
                      where t.oid = to_regtype('recsys_api.recommendation') and a.attname = 'placement'
                          and not a.attisdropped) then
        alter type recsys_api.recommendation add attribute placement text;
    end if;
end $$;
comment on type recsys_api.recommendation is
'A row of recommend_for_user and recommend_for_items.';
