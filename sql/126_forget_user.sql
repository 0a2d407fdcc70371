-- Erases a user, with all that is kept about the person; returns how many rows were removed from each table.
--
-- Arguments: user_id
-- Removed are the row of recsys.users with key, attributes and taste vectors, all interactions and all impressions. What
-- was learned of many people together names nobody and stays until the next training; popularity until the next
-- refresh_popularity. Tables of your own that refer to recsys.users go by their own foreign keys. The taste leaves the
-- vector index with the next vacuum, which recsys-pg forget-user runs; the bytes of deleted rows are overwritten as their
-- space is used again, as after any DELETE, and backups keep them until they expire.
-- Errors: RS010, RS001 for a user id that is NULL or unknown. For the owner of the schema and whoever is granted it.
-- Cost: an index look-up for each interaction; whoever records something of the user meanwhile waits, and then fails.
-- Example: select * from recsys_api.forget_user(recsys_api.ensure_user('somebody who leaves'));
create or replace function recsys_api.forget_user(user_id bigint)
returns table (table_name text, rows_removed bigint)
language plpgsql volatile
set search_path from current
as $$
begin
    -- first of all, so that nothing is added to what is removed
    perform from recsys.users u where u.id = forget_user.user_id for update;
    perform recsys_api._check_user(forget_user.user_id);
    table_name := 'recsys.impressions';
    delete from recsys.impressions s where s.user_id = forget_user.user_id;
    get diagnostics rows_removed = row_count;
    return next;
    table_name := 'recsys.taste_changes';
    delete from recsys.taste_changes c where c.user_id = forget_user.user_id;
    get diagnostics rows_removed = row_count;
    return next;
    table_name := 'recsys.interactions';
    delete from recsys.interactions a where a.user_id = forget_user.user_id;
    get diagnostics rows_removed = row_count;
    return next;
    table_name := 'recsys.users';
    delete from recsys.users u where u.id = forget_user.user_id;
    get diagnostics rows_removed = row_count;
    return next;
    -- those that the deletion of the interactions has noted
    delete from recsys.taste_changes c where c.user_id = forget_user.user_id;
end $$;
