-- The items that a text asks for: by what it means, by its words, and by exact codes and titles, in one list.
--
-- Arguments
--   query            what somebody typed, 1 to 1,000 characters: "wooden train", "SKU-4711", "iPhone 15 case".
--                    Words in quotes are a phrase, "or" between words means either, and a minus in front of a word or
--                    phrase leaves out what has it; everything else stands for itself
--   n                length of the list, 1 to 1,000
--   filter           recsys_api.item_filter(…); it holds for every way to match
--   query_embedding  384 numbers, the embedding of the text by the active model. Left out, the one that is kept for the
--                    text is taken: Recommender.search_text, recsys-pg search and remember_query keep them. Without
--                    either, the search goes by words and codes only, and searched_by_meaning is false in every row
-- Words are compared in the catalogue's language (recsys-pg language), so "trains" finds "train"; see _word_matches.
-- Order: score, highest first; ties by item_id. The score is the sum of 1 / (60 + rank) over the lists by meaning
-- (meaning_rank), by words (words_rank) and of codes among the words: reciprocal rank fusion (Cormack, Clarke and
-- Büttcher, SIGIR 2009, k = 60). An item whose external_id or title is the whole text scores 1 more, so it comes first.
-- reason says what matched: code, title, words, meaning.
-- Fewer than n rows, or none, when little matches. By meaning something always does: the nearest n, and at least 50,
-- that have nothing of what a minus leaves out. Where more than 100,000 items have that, the list by meaning may be
-- shorter: then only the nearest 1,000 (2 * n, if that is more) are looked through.
-- Errors: RS010 for n or a text that is NULL, blank, too long or only says what to leave out; RS011 for the embedding;
-- RS013 for a rule that is unknown or broken.
-- Cost: that of search_items, and for the words 2 to 30 ms at 100,000 items: at most 2,000 items a step are ranked, but
-- looking up those that match grows with their number. With a minus twice as many of the nearest are looked up, and if
-- more than half of them have what it leaves out, there is a second search without all that has it: 5 to 60 ms at
-- 40,000 items, and 0.3 ms for every 1,000 to leave out. The nearest 1,000 take 0.1 to 0.2 s.
-- Example: select rank, title, score, reason from recsys_api.search_text('wooden train -plastic', n => 5);
create or replace function recsys_api.search_text(
    query text, n integer default 10, filter recsys_api.filter default null, query_embedding vector default null)
returns setof recsys_api.text_match
language plpgsql stable rows 20
set search_path from current
set jit = off
as $$
declare
    asked       record;
    meant       vector;
    k           integer;
    reach       integer;
    narrowed    recsys_api.filter := filter;
    nearest     bigint[];
    rows_found  integer;
    unwanted    bigint[];
begin
    perform recsys_api._check_length(n);
    perform recsys_api._check_query(query);
    if query_embedding is not null then
        perform recsys_api._check_vector(query_embedding);
    end if;
    k := greatest(50, n);
    meant := coalesce(l2_normalize(query_embedding), recsys_api._query_embedding(query));
    select * into asked from recsys_api._text_query(query);
    reach := case when asked.left_out is null then k else 2 * k end;
    while meant is not null loop
        select count(*), array_agg(m.item_id order by m.place) filter (
            where asked.left_out is null or not exists (
                select from recsys.item_texts t where t.item_id = m.item_id and t.document @@ asked.left_out))
        into rows_found, nearest
        from recsys_api._nearest_items(meant, reach, narrowed) with ordinality m (item_id, distance, place);
        exit when cardinality(nearest) >= k or rows_found < reach or unwanted is not null;
        -- to search without them costs less than to look up more and more of the nearest
        unwanted := array(
            select t.item_id from recsys.item_texts t where t.document @@ asked.left_out limit 100001);
        if cardinality(unwanted) <= 100000 then
            narrowed := recsys_api._exclude(search_text.filter, unwanted);
            reach := k;
        else
            exit when reach >= 1000;
            reach := 1000;
        end if;
    end loop;
    return query
        with meaning as (
            select m.item_id, m.place
            from unnest(nearest[:k]) with ordinality m (item_id, place)
        ), words as (
            select w.item_id, w."position" as place
            from recsys_api._word_matches(
                array[asked.all_words, asked.all_words, asked.all_beginnings, asked.any_beginning], asked.left_out,
                search_text.n, k, search_text.filter) w
        ), exact as (
            select e.item_id, e.kind, e.is_whole, e."position" as place
            from recsys_api._exact_matches(query, asked.words, asked.left_out, k, search_text.filter) e
        ), fused as (
            select f.item_id, sum(1.0::double precision / (60 + f.place)) as score
            from (select m.item_id, m.place from meaning m
                  union all select w.item_id, w.place from words w
                  union all select e.item_id, e.place from exact e) f
            group by f.item_id
        )
        select row_number() over (order by r.score desc, r.item_id), i.id, i.external_id, i.title, i.category, i.price,
            i.in_stock, r.score, r.reason, r.words_rank, r.meaning_rank, meant is not null
        from (
            select f.item_id, f.score + case when e.is_whole then 1 else 0 end as score,
                concat_ws(', ', e.kind, case when w.place is not null then 'words' end,
                    case when m.place is not null then 'meaning' end) as reason,
                w.place as words_rank, m.place as meaning_rank
            from fused f
            left join exact e on e.item_id = f.item_id
            left join words w on w.item_id = f.item_id
            left join meaning m on m.item_id = f.item_id
            order by 2 desc, f.item_id
            limit search_text.n
        ) r
        join recsys.items i on i.id = r.item_id
        order by r.score desc, r.item_id;
end $$;
