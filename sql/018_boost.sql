-- Items to raise or lower in a list, and by how much; build it with recsys_api.item_boost.
do $$
begin
    if to_regtype('recsys_api.boost') is null then
        create type recsys_api.boost as (
            filter  recsys_api.filter,
            factor  double precision
        );
    end if;
end $$;
comment on type recsys_api.boost is
'A filter and the factor by which the scores of the items that pass it are multiplied. Built by recsys_api.item_boost.';
