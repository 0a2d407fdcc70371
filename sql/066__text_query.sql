-- Private. What a text that somebody typed asks of the words of an item, in the catalogue's language; while that is
-- being changed, in the one before too.
--
--   words           the text without what it leaves out, and the words one by one, without the punctuation around them
--   all_words       it has all words; a phrase in quotes and "or" mean what they say
--   all_beginnings  for every word it has one that begins like it
--   any_beginning   for one of the words it has one that begins like it
--   left_out        it has one of the words or phrases with a minus in front; NULL without such
-- Where every word is a stop word ("The Who"), they are looked for as they stand, which titles are listed by too.
-- Words of one and two letters are no beginnings. The text may hold anything: no part of it is an operator elsewhere.
-- Errors: RS010 when all words have a minus.
create or replace function recsys_api._text_query(query text)
returns table (words text[], all_words tsquery, all_beginnings tsquery, any_beginning tsquery, left_out tsquery)
language plpgsql stable rows 1
set search_path from current
set client_min_messages = warning
as $$
declare
    config    regconfig;
    previous  regconfig;
    minus     text := E'(^|\\s)-("[^"]*"|[^\\s"]+)';
    unwanted  text := (
        select string_agg(m.found[2], ' or ') from regexp_matches(query, minus, 'g') m (found));
    wanted    text := regexp_replace(query, minus, ' ', 'g');
    phrase    text := recsys.item_words(wanted, 1000);
    all_stop  boolean;
begin
    if wanted !~ E'\\S' then
        raise exception using errcode = 'RS010',
            message = format('the query only says what to leave out: %s', quote_literal(left(query, 100))),
            hint = 'Add a word to look for; a minus in front of a word leaves out what has it.';
    end if;
    select recsys.text_search_config(l.language), recsys.text_search_config(l.previous_language)
    into config, previous
    from recsys.catalogue_language l;
    previous := coalesce(previous, config);

    words := array(
        select distinct recsys.text_key(btrim(w.word, '"''()[]{},;:!?.'))
        from regexp_split_to_table(wanted, E'\\s+') w (word) where btrim(w.word, '"''()[]{},;:!?.') <> '');
    all_words := websearch_to_tsquery(config, phrase);
    if previous <> config then
        all_words := all_words || websearch_to_tsquery(previous, phrase);
    end if;
    if unwanted is not null then
        left_out := websearch_to_tsquery(config, recsys.item_words(unwanted, 1000))
            || websearch_to_tsquery(previous, recsys.item_words(unwanted, 1000));
    end if;
    all_stop := numnode(all_words) = 0;
    if all_stop then
        all_words := plainto_tsquery('pg_catalog.simple', phrase);
    end if;
    select string_agg(t.term, ' & ')::tsquery, string_agg(t.term, ' | ')::tsquery
    into all_beginnings, any_beginning
    from (
        select '(' || string_agg(
            distinct '''' || replace(replace(l.lexeme, E'\\', E'\\\\'), '''', '''''') || ''''
                || case when length(l.lexeme) > 2 then ':*' else '' end, ' | ') || ')' as term
        from regexp_split_to_table(phrase, E'[\\s"]+') with ordinality w (word, position)
        cross join lateral (
            select tsvector_to_array(to_tsvector(config, w.word) || to_tsvector(previous, w.word)) as stems) s
        cross join lateral unnest(s.stems || tsvector_to_array(to_tsvector('pg_catalog.simple', w.word))) l (lexeme)
        where cardinality(s.stems) > 0 or all_stop
        group by w.position
    ) t;
    return next;
end $$;
