-- Private. What steers a list besides the history: what a call says, what its scenario says, or both together. NULL
-- attributes say nothing.
do $$
begin
    if to_regtype('recsys_api._controls') is null then
        create type recsys_api._controls as (
            filter              recsys_api.filter,
            method              text,
            exclude_seen        boolean,
            diversity           double precision,
            max_per_category    integer,
            popularity_damping  double precision,
            rotation            double precision,
            rotation_half_life  interval,
            new_item_share      double precision,
            boosts              recsys_api.boost[],
            pins                recsys_api.pin[],
            shown_item_ids      bigint[]
        );
    end if;
end $$;
comment on type recsys_api._controls is
'Private. What steers a list besides the history; NULL attributes say nothing.';
