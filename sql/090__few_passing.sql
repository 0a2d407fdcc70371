-- Private. The items that pass a filter, if comparing the targets of all of them takes less time than going through the
-- nearest until enough are found that pass. Otherwise NULL, and how many of the nearest to go through before all that pass
-- are compared after all: about as many as take as long.
create or replace function recsys_api._few_passing(
    filter recsys_api.filter, enough integer, out ids bigint[], out breadth integer)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    passing double precision := 'infinity';
    share   double precision := 0;
begin
    if recsys_api._has_copies(filter) then
        select e.passing, e.share into passing, share from recsys_api._estimate_passing(
            filter, recsys_api._filter_conditions(filter) || recsys_api._band_conditions(filter)) e;
    end if;
    -- one is gone through in the time in which four targets are compared, or codes a fiftieth of those of a walk; to begin
    -- takes as long as five hundred, and twice enough are looked for
    breadth := least(20000, 12500 * passing / greatest(1, recsys_api._setting('search.scan_limit')));
    if breadth <= 500 + 2 * enough / greatest(share, 0.001) then
        ids := recsys_api._passing_ids(filter);
    end if;
end $$;
