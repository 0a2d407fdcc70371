-- Private. The k items that pass a filter and whose words match a text best, best first; and what to leave out.
--
-- First come items with all words in the title, then with all words anywhere (title, category, tags, description).
-- If these are fewer than n: items with words that begin like all of the text's, then like one of them. Within a
-- step by ts_rank: words of the title count most (A), then category and tags (B), then the description (C).
-- A step ranks at most 2,000 items that match, which bounds the cost of common words; which ones is left open.
create or replace function recsys_api._word_matches(
    query tsquery[], left_out tsquery, n integer, k integer, filter recsys_api.filter)
returns table (item_id bigint, "position" bigint)
language plpgsql stable rows 50
set search_path from current
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
    conditions  text := recsys_api._filter_conditions(filter);
    join_items  text := case when conditions <> '' or row_security_active('recsys.items')
        then 'join recsys.items item on item.id = t.item_id' else '' end;
    found       bigint[] := '{}';
    more        bigint[];
begin
    for step in 1 .. cardinality(query) loop
        exit when cardinality(found) >= case when step <= 2 then k else n end;
        continue when query[step] is null or numnode(query[step]) = 0;
        execute format(
            'select array_agg(b.item_id order by b.relevance desc, b.item_id)
             from (select m.item_id, m.relevance
                   from (select t.item_id, ts_rank(t.%1$I, $2, 1) as relevance
                         from recsys.item_texts t %2$s
                         where t.%1$I @@ $2 and t.item_id <> all ($3) %3$s %4$s
                         limit 2000) m
                   order by m.relevance desc, m.item_id limit %5$s) b',
            case when step = 1 then 'title' else 'document' end, join_items, conditions,
            case when left_out is not null then 'and not t.document @@ $4' end, k - cardinality(found))
        into more using filter, query[step], found, left_out;
        found := found || coalesce(more, '{}');
    end loop;
    return query select m.id, m.place from unnest(found) with ordinality m (id, place) order by m.place;
end $$;
