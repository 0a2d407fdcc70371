-- One step of a search, as recsys_api.explain_search shows it.
do $$
begin
    if to_regtype('recsys_api.search_step') is null then
        create type recsys_api.search_step as (
            step           integer,
            strategy       text,
            rows_compared  bigint,
            rows_passing   bigint,
            milliseconds   double precision
        );
    end if;
end $$;
comment on type recsys_api.search_step is
'A step of a search: its strategy, the vectors that it compared, how many rows it found to pass the filter, and the time it took.';
