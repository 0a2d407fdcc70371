-- A row of explain_recommendation: a past item, or a control, and what it adds to the score.
do $$
begin
    if to_regtype('recsys_api.contribution') is null then
        create type recsys_api.contribution as (
            item_id       bigint,
            title         text,
            weight        double precision,
            occurred_at   timestamptz,
            contribution  double precision,
            graph         double precision,
            content       double precision
        );
    end if;
end $$;
comment on type recsys_api.contribution is
'A row of explain_recommendation: a past item, or a control, and what it adds to the score.';
