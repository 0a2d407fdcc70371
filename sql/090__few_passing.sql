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
    passing     double precision;
    share       double precision;
    affordable  double precision;
begin
    breadth := 20000;
    if not recsys_api._has_copies(filter) then
        return;
    end if;
    select e.passing, e.share into passing, share from recsys_api._estimate_passing(
        filter, recsys_api._filter_conditions(filter) || recsys_api._band_conditions(filter)) e;
    -- to look at one takes as long as to compare six of those that pass, of which most are left out, or as many codes as
    -- search.scan_limit says of a walk; to begin takes as long as five hundred, and twice enough are looked for
    affordable := 5000 * passing / greatest(1, recsys_api._setting('search.scan_limit'));
    if affordable <= 500 + 2 * enough / greatest(share, 0.001) then
        ids := recsys_api._passing_ids(filter);
    end if;
    breadth := least(breadth, affordable);
end $$;
