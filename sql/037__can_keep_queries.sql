-- Private. Whether this transaction may write recsys.query_embeddings, and cannot fail by that: in stricter isolation
-- than read committed, a text that another transaction has just kept would end it.
create or replace function recsys_api._can_keep_queries()
returns boolean
language sql stable
set search_path from current
as $$
    select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'
        and current_setting('transaction_isolation') = 'read committed'
        and has_table_privilege('recsys.query_embeddings', 'insert')
        and has_table_privilege('recsys.query_embeddings', 'update')
        and has_table_privilege('recsys.query_embeddings', 'delete')
$$;
