-- Private. A predicate as PostgreSQL prints it when it is read over rows item with these columns of recsys.items:
-- every table, operator and type with its schema, every column of the item as item.<column>.
-- Refuses what is no condition on one item, or may change data or its own mind (RS010). What PostgreSQL itself
-- refuses (it does not parse, a column is unknown, it is not boolean, it aggregates …) stays PostgreSQL's error.
--
-- PostgreSQL is asked by creating a view, which is undone before the function ends.
create or replace function recsys_api._rule_condition(name text, predicate text, columns text[])
returns text
language plpgsql volatile
set search_path from current
as $$
declare
    -- of two relations, PostgreSQL prints each column with the name of its own
    source     text := format('from (select %s from recsys.items) item, (select) one', array_to_string(columns, ', '));
    parsed     refcursor;
    rule_view  oid;
    condition  text;
    tree       text;
    problem    text;
begin
    -- What can stand between [ ] here and between ( ) below closes neither itself: it is one expression. A cursor
    -- takes one statement: should there be more, they are refused before any runs, and of this one nothing does.
    open parsed for execute format(E'select array[\n%s\n] %s', predicate, source);
    close parsed;
    begin
        execute format(E'create view recsys.rule_to_check as select 1 as passes %s where (\n%s\n)', source, predicate);
        rule_view := to_regclass('recsys.rule_to_check');
        -- printed so that every session reads it alike, whatever the settings of this one; undone with the view
        perform set_config('search_path', '', true), set_config('datestyle', 'ISO, MDY', true),
            set_config('intervalstyle', 'postgres', true), set_config('timezone', 'UTC', true),
            set_config('quote_all_identifiers', 'off', true), set_config('standard_conforming_strings', 'on', true);
        condition := rtrim(substring(pg_get_viewdef(rule_view) from E' one\\n  WHERE\\s+(.*)$'), ';');
        -- with the views that it reads
        with recursive reads (rule_id, tree) as (
            select r.oid, r.ev_action::text from pg_rewrite r where r.ev_class = rule_view
            union
            select r.oid, r.ev_action::text
            from reads
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = reads.rule_id
                and d.refclassid = 'pg_class'::regclass
            join pg_rewrite r on r.ev_class = d.refobjid and r.rulename = '_RETURN'
        )
        select string_agg(r.tree, ' ') into tree from reads r;

        select format('calls %s, which %s', p.oid::regprocedure, case
            when p.provolatile = 'v' then 'is volatile'
            when p.pronamespace = 'recsys_api'::regnamespace then 'applies rules itself'
            else 'ends with this session' end)
        into problem
        from pg_proc p
        where p.oid in (
                select m.match[1]::oid
                from regexp_matches(tree, E':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g') m (match))
            and (p.provolatile = 'v' or p.pronamespace in ('recsys_api'::regnamespace, pg_my_temp_schema()))
        order by p.proname limit 1;
        problem := coalesce(problem, case
            when tree like '%{ROWMARKCLAUSE %' then 'locks rows (for update, for share)'
            when tree like '%{TABLESAMPLECLAUSE %' then 'samples a table'
            when regexp_replace(condition, '"[^"]*"|''[^'']*''', '', 'g') ~ E'\\mitem\\.\\*' then
                'takes the item as a whole, and not its columns' end);
        if problem is not null then
            raise exception using errcode = 'RS010',
                message = format('the predicate of rule %s %s', name, problem),
                hint = 'Use columns, item.<column>, and immutable or stable functions: '
                    'a search evaluates a rule any number of times, in any order, and must change nothing.';
        end if;
        raise exception using errcode = 'RS099', message = 'the view is not to stay';
    exception
        when sqlstate 'RS099' then null;
    end;
    return condition;
end $$;
