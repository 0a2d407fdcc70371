-- Recomputes the mean of the catalogue's embeddings and the taste vectors of all users; returns the number of users
-- whose vector changed by .8 degrees or more.
--
-- recsys-pg train does it in many transactions; this function is one. A worker does it for those who did something, half a
-- minute later. recommend_for_user itself always computes the taste of its user from the latest interactions; the stored
-- vectors serve to find users with similar taste.
-- Cost: about 0.3 ms a user, and 2 to 5 ms for each whose vector changed, for the vector index; readers are never
-- blocked, writers of a user whose vector changes wait.
-- Example: select recsys_api.refresh_tastes();
create or replace function recsys_api.refresh_tastes()
returns bigint
language plpgsql volatile
set search_path from current
as $$
begin
    perform pg_advisory_xact_lock(hashtext('recsys_api.refresh_tastes'));
    perform recsys_api._refresh_center();
    return recsys_api._refresh_tastes(array(select u.id from recsys.users u));
end $$;
