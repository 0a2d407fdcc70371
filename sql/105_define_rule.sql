-- Saves a condition of the application's own under a name, for item_filter(rule => name); one of that name is replaced.
-- For the owner of the schema.
--
-- Arguments
--   name       lower-case letters, digits and underscores, a letter first, at most 63
--   predicate  a boolean SQL expression of at most 10,000 characters, in which the item's columns are item.<column>;
--              it may read tables of the application, named with their schema, in subqueries
-- Result: the predicate as PostgreSQL reads it, which searches add to their conditions.
-- A rule reads with the rights and the row-level security of whoever searches. It is evaluated any number of times, in
-- any order: volatile functions, locks and functions of recsys_api are refused.
-- Errors: RS010 when the name or the predicate is refused; RS013 when it fails on one of the first thousand items.
-- Cost: that of the condition, on each item that the search looks at; columns other than id, category, tags, price,
-- in_stock, attributes and created_at make it read wider rows.
-- Example: select recsys_api.define_rule('cheap_classics', $$item.price < 10 and item.tags @> '{classic}'$$);
create or replace function recsys_api.define_rule(name text, predicate text)
returns text
language plpgsql volatile
set search_path from current
as $$
declare
    rule     recsys.filter_rules;
    columns  text[];
    parsed   refcursor;
    state    text;
    problem  text;
begin
    if define_rule.name is null or define_rule.name !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using errcode = 'RS010',
            message = format('%s is no name of a rule', coalesce(quote_literal(left(define_rule.name, 100)), 'NULL')),
            hint = 'Take lower-case letters, digits and underscores, a letter first, at most 63.';
    end if;
    if define_rule.predicate is null or length(define_rule.predicate) > 10000 or define_rule.predicate ~ E'^\\s*$' then
        raise exception using errcode = 'RS010',
            message = format('the predicate of rule %s %s', define_rule.name, case
                when length(define_rule.predicate) > 10000 then
                    format('has %s characters, not at most 10000', length(define_rule.predicate))
                when define_rule.predicate is null then 'is NULL' else 'is blank' end),
            hint = 'Pass one boolean SQL expression, such as item.price < 10.';
    end if;
    rule.name := define_rule.name;
    rule.predicate := define_rule.predicate;

    -- the narrow rows that searches scan, if their columns are enough
    foreach rule.relation in array array['searchable_items', 'items'] loop
        select array_agg(quote_ident(c.attname) order by c.attnum) into columns
        from pg_attribute c
        where c.attrelid = 'recsys.items'::regclass and c.attnum > 0 and not c.attisdropped
            and c.attname in (
                select n.attname from pg_attribute n
                where n.attrelid = to_regclass('recsys.' || rule.relation) and n.attnum > 0 and not n.attisdropped);
        begin
            rule.canonical := recsys_api._rule_condition(rule.name, rule.predicate, columns);
            -- once more, as a search reads it
            open parsed for execute format('select from recsys.%I item where (%s)', rule.relation, rule.canonical);
            close parsed;
            problem := null;
            exit;
        exception
            when insufficient_privilege then
                raise;
            when syntax_error_or_access_rule_violation or invalid_schema_name or data_exception
                or feature_not_supported then
                state := sqlstate;
                -- the bracket that parsing adds is none of the caller's
                problem := case when position(']' in define_rule.predicate) = 0
                    then replace(sqlerrm, 'at or near "]"', 'at its end') else sqlerrm end;
        end;
        exit when state <> '42703'; -- not a column that is unknown
    end loop;
    if problem is not null then
        raise exception using errcode = 'RS010',
            message = format('the predicate of rule %s is refused: %s', rule.name, left(split_part(problem, E'\n', 1), 300)),
            hint = case
                when state = '42703' then format('An item has the columns item.%s.', array_to_string(columns, ', item.'))
                when state in ('42P01', '3F000') then 'Name tables with their schema, as in app.diets.'
                else 'Pass one boolean SQL expression on item.<column>, such as item.price < 10.' end;
    end if;

    perform recsys_api._try_rule(rule.name, rule.canonical, rule.relation);
    insert into recsys.filter_rules (name, predicate, canonical, relation)
    values (rule.name, rule.predicate, rule.canonical, rule.relation)
    on conflict on constraint filter_rules_pkey do update
        set predicate = excluded.predicate, canonical = excluded.canonical, relation = excluded.relation;
    return rule.canonical;
end $$;
