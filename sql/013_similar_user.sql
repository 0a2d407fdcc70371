-- A row of similar_users.
do $$
begin
    if to_regtype('recsys_api.similar_user') is null then
        create type recsys_api.similar_user as (
            rank         bigint,
            user_id      bigint,
            external_id  text,
            similarity   double precision
        );
    end if;
end $$;
comment on type recsys_api.similar_user is
'A row of similar_users.';
