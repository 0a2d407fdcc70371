-- Private. What controls need besides the best items by score, item_ids, to make a list of n rows of:
--   popular  as many as are missing to a pool, which is longer than the list
--   boosts   the n most popular items of each that raises
--   pins     their items
--   new      of the thousand newest items, those that few know yet
--   limits   items of categories that are not full, as long as the list could not be filled without
-- All pass the filter, none is among item_ids; the popular ones come first, the most popular in front.
create or replace function recsys_api._further_candidates(
    item_ids bigint[], n integer, missing integer, filter recsys_api.filter, controls recsys_api._controls)
returns bigint[]
language plpgsql stable
set search_path from current
set jit = off
as $$
declare
    conditions  text := recsys_api._filter_conditions(filter);
    further     bigint[] := '{}';
    others      bigint[];
    rule        recsys_api.boost;
    possible    bigint;
    crowded     text[];
begin
    if missing > 0 then
        select coalesce(array_agg(p.item_id), '{}') into further
        from recsys_api._popular_items(least(1000, greatest(200, missing)), recsys_api._exclude(filter, item_ids)) p;
    end if;
    foreach rule in array coalesce(controls.boosts, '{}') loop
        continue when rule.factor <= 1;
        select array_agg(p.item_id) into others
        from recsys_api._popular_items(n, recsys_api._exclude(filter, item_ids || further), rule.filter) p;
        further := further || coalesce(others, '{}');
    end loop;
    if controls.pins is not null then
        execute 'select array_agg(item.id) from recsys.items item where item.id = any ($2) and item.id <> all ($3)'
            || conditions
        into others
        using filter, array(select p.item_id from unnest(controls.pins) p), item_ids || further;
        further := further || coalesce(others, '{}');
    end if;
    if controls.new_item_share > 0 then
        execute 'select array_agg(item.id)
                 from (select i.* from recsys.items i order by i.created_at desc, -i.id limit 1000) item
                 where item.id <> all ($2)' || conditions
        into others using filter, item_ids || further;
        further := further || recsys_api._new_items(coalesce(others, '{}'));
    end if;
    while controls.max_per_category is not null loop
        select sum(case when c.category is null then c.items else least(c.items, controls.max_per_category) end),
            coalesce(array_agg(c.category) filter (where c.items >= controls.max_per_category and c.category is not null),
                '{}')
        into possible, crowded
        from (select i.category, count(*) as items from recsys.items i
              where i.id = any (item_ids || further) group by i.category) c;
        exit when possible >= n;
        select array_agg(p.item_id) into others
        from recsys_api._popular_items(greatest(200, n), recsys_api._exclude(filter, item_ids || further), null, crowded) p;
        exit when others is null;
        further := further || others;
    end loop;
    return further;
end $$;
