-- Private. A condition as SQL over item, a row of recsys.items, with literals: the WHERE of an advised index and, word for
-- word, of the searches that walk it. NULL when the rule does not exist. Tags are to be sorted, so that one condition
-- is one text.
create or replace function recsys_api._index_predicate(category text, tags text[], attributes jsonb, rule text)
returns text
language sql stable
set search_path from current
as $$
    select case when rule is null or r.name is not null then concat_ws(' and ',
        'item.category = ' || quote_literal(category),
        'item.tags @> ' || quote_literal(tags::text) || '::text[]',
        'item.attributes @> ' || quote_literal(attributes::text) || '::jsonb',
        '(' || r.canonical || ')') end
    from (values (1)) one (n)
    left join recsys.filter_rules r on r.name = rule
$$;
