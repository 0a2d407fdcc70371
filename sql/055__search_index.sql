-- Private. The predicate of the smallest advised index that holds every item that passes a filter, as SQL over
-- item, a row of recsys.items, with literals, so that the planner sees that the index serves; NULL when there is none.
--
-- The filter implies an index when its one category is the index's, its tags and attributes contain the index's,
-- and its rule is the index's and has not changed since. An index counts when it is built and valid.
-- Cost: 3 µs when no index was advised, 30 µs with 20 of them.
create or replace function recsys_api._search_index(filter recsys_api.filter)
returns text
language plpgsql stable
set search_path from current
set plan_cache_mode = force_generic_plan
as $$
declare
    found_index record;
begin
    if num_nonnulls((filter).categories, (filter).tags, (filter).attributes, (filter).rule) = 0
        or not exists (select from recsys.search_indexes)
    then
        return null;
    end if;
    -- looked up one by one: a join would read the whole of pg_class
    for found_index in
        select s.predicate, to_regclass('recsys.' || s.index_name) as oid
        from recsys.search_indexes s
        where s.is_ready
            and (s.category is null or (filter).categories = array[s.category])
            and (s.tags is null or (filter).tags @> s.tags)
            and (s.attributes is null or (filter).attributes @> s.attributes)
            and (s.rule is null or (filter).rule = s.rule and s.rule_canonical = (
                select r.canonical from recsys.filter_rules r where r.name = s.rule))
        order by s.built_rows, s.index_name
    loop
        if exists (select from pg_index i
                   where i.indexrelid = found_index.oid and i.indisvalid and i.indisready) then
            return found_index.predicate;
        end if;
    end loop;
    return null;
end $$;
