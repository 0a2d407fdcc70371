-- Private. A FROM clause that gives the rows on so many pages of recsys.searchable_items, spread evenly, or a few more; and
-- how many pages each of them stands for. The same pages each time, so that the same search goes the same way.
-- Cost: reading it grows with the number of pages asked for; tablesample would look at the number of every page.
create or replace function recsys_api._page_sample(pages integer, out source text, out step bigint)
returns record
language plpgsql stable
set search_path from current
as $$
declare
    all_pages bigint := pg_relation_size('recsys.searchable_items') / current_setting('block_size')::bigint;
begin
    step := greatest(1, all_pages / pages);
    source := format(
        'generate_series(%s, %s, %s) page,
         lateral (select * from recsys.searchable_items s
                  where s.ctid >= (''('' || page || '',0)'')::tid and s.ctid < (''('' || page + 1 || '',0)'')::tid
                  offset 0) item', step / 2, all_pages - 1, step);
end $$;
