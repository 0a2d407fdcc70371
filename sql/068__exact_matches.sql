-- Private. At most k items that pass a filter and are named exactly, whatever the case: the text is the external_id
-- or the title (is_whole), or one of its words is the external_id. A word among others is taken for a code only if it
-- holds a digit and another character, or five digits: the 2 of "Toy Story 2" is not item 2.
create or replace function recsys_api._exact_matches(
    query text, words text[], left_out tsquery, k integer, filter recsys_api.filter)
returns table (item_id bigint, kind text, is_whole boolean, "position" bigint)
language plpgsql stable rows 10
set search_path from current
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
    key         text := recsys.text_key(query);
    codes       text[] := array(select w.word from unnest(words) w (word) where w.word ~ E'\\d' and w.word ~ E'\\D|\\d{5}');
    conditions  text := recsys_api._filter_conditions(filter);
begin
    return query execute format(
        'select e.id, e.kind, e.is_whole, row_number() over (order by e.is_whole desc, e.kind, e.id)
         from (select distinct on (item.id) item.id, m.kind, m.is_whole
               from (select t.item_id, ''code'' as kind, t.external_id = $2 as is_whole
                     from recsys.item_texts t
                     where t.external_id = any ($3 || $2)
                     union all
                     (select t.item_id, ''title'', true
                      from recsys.item_texts t
                      where t.title_hash = md5($2)::uuid)) m
               join recsys.items item on item.id = m.item_id
               where true %s %s
               order by item.id, m.is_whole desc, m.kind) e
         order by 4 limit %s',
        conditions,
        case when left_out is not null then
            'and not exists (select from recsys.item_texts t where t.item_id = item.id and t.document @@ $4)' end,
        k)
    using filter, key, codes, left_out;
end $$;
