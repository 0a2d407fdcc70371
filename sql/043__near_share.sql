-- Private. About which share of the items near to a query vector passes a filter that the given share of all passes: of the
-- 32 whose codes are nearest among those on some sixty pages of recsys.searchable_items, spread evenly; the given share
-- where these 32 tell of no difference. It only decides which way is tried first, never what is found.
-- Cost: 0.3 ms, whatever the number of items.
create or replace function recsys_api._near_share(
    query vector, filter recsys_api.filter, conditions text, share double precision)
returns double precision
language plpgsql stable
set search_path from current
as $$
declare
    sample  record := recsys_api._page_sample(64);
    passing integer;
begin
    execute format(
        'select count(*) filter (where true %s)
         from (select item.* from %s order by item.code <~> $2 limit 32) item', conditions, sample.source)
    into passing using filter, recsys.embedding_code(query);
    -- two standard deviations of what chance gives
    if abs(passing - 32 * share) <= 2 * sqrt(32 * share * (1 - share)) then
        return share;
    end if;
    -- as if two more were known, so that none of 32 is not none at all
    return (passing + 2 * share) / 34;
end $$;
