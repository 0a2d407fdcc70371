-- The one type of filter that every function of recsys_api takes; build it with recsys_api.item_filter.
-- A later version adds attributes with "alter type … add attribute", which breaks no caller.
do $$
begin
    if to_regtype('recsys_api.filter') is null then
        create type recsys_api.filter as (
            categories        text[],
            in_stock          boolean,
            min_price         numeric,
            max_price         numeric,
            tags              text[],
            attributes        jsonb,
            item_ids          bigint[],
            exclude_item_ids  bigint[],
            rule              text
        );
    elsif not exists (select from pg_attribute a join pg_type t on t.typrelid = a.attrelid
                      where t.oid = to_regtype('recsys_api.filter') and a.attname = 'rule' and not a.attisdropped) then
        alter type recsys_api.filter add attribute rule text;
    end if;
end $$;
comment on type recsys_api.filter is
'Conditions that an item must meet to be listed; NULL attributes set none. Built by recsys_api.item_filter.';
