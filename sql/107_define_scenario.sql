-- Saves the controls of a list under a name, for scenario => name in recommend_for_user, recommend_for_items and
-- similar_items; one of that name is replaced as a whole. For the owner of the schema and whoever is granted it.
--
-- Arguments
--   name    lower-case letters, digits and underscores, a letter first, at most 63
--   filter  recsys_api.item_filter(…), which holds besides that of a call
--   method, exclude_seen, diversity, max_per_category, popularity_damping, rotation, rotation_half_life, new_item_share
--           as in recommend_for_user, for calls that do not say them; left out, the defaults there
--   boosts  at most 20 of recsys_api.item_boost(…); the score of an item is multiplied by the factors of all whose filter it
--           passes
--   pins    at most 100 of recsys_api.item_pin(…): the item has the place as long as it passes the filters and may be shown
-- Errors: RS002 for a pinned item that does not exist; RS010 for what is out of range, two pins of one item or to one place,
-- a pinned item that the filter excludes by its id, or a boost without a condition; RS013 for a rule that is unknown or broken.
-- Example: select recsys_api.define_scenario('home', filter => recsys_api.item_filter(in_stock => true), diversity => 0.2,
--              boosts => array[recsys_api.item_boost(recsys_api.item_filter(tags => '{new}'), 1.5)],
--              pins => array[recsys_api.item_pin(1, place => 2)]);
create or replace function recsys_api.define_scenario(
    name                text,
    filter              recsys_api.filter default null,
    method              text default null,
    exclude_seen        boolean default null,
    diversity           double precision default null,
    max_per_category    integer default null,
    popularity_damping  double precision default null,
    rotation            double precision default null,
    rotation_half_life  interval default null,
    new_item_share      double precision default null,
    boosts              recsys_api.boost[] default null,
    pins                recsys_api.pin[] default null
)
returns void
language plpgsql volatile
set search_path from current
as $$
#variable_conflict use_column
begin
    if define_scenario.name is null or define_scenario.name !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using errcode = 'RS010',
            message = format('%s is no name of a scenario', coalesce(quote_literal(left(define_scenario.name, 100)), 'NULL')),
            hint = 'Take lower-case letters, digits and underscores, a letter first, at most 63.';
    end if;
    perform recsys_api._check_controls(row(filter, method, exclude_seen, diversity, max_per_category,
        popularity_damping, rotation, rotation_half_life, new_item_share, boosts, pins, null)::recsys_api._controls);
    perform recsys_api._check_boosts(boosts);
    perform recsys_api._check_pins(pins, (filter).exclude_item_ids);
    perform recsys_api._filter_conditions(filter);

    delete from recsys.scenarios s where s.name = define_scenario.name;
    insert into recsys.scenarios (name, method, exclude_seen, diversity, max_per_category, popularity_damping, rotation,
        rotation_half_life, new_item_share, categories, in_stock, min_price, max_price, tags, attributes, item_ids,
        exclude_item_ids, rule)
    values (define_scenario.name, define_scenario.method, define_scenario.exclude_seen, define_scenario.diversity,
        define_scenario.max_per_category, define_scenario.popularity_damping, define_scenario.rotation,
        define_scenario.rotation_half_life, define_scenario.new_item_share, (filter).categories, (filter).in_stock,
        (filter).min_price, (filter).max_price, (filter).tags, (filter).attributes, (filter).item_ids,
        (filter).exclude_item_ids, (filter).rule);
    insert into recsys.scenario_boosts (scenario, position, factor, categories, in_stock, min_price, max_price, tags,
        attributes, item_ids, exclude_item_ids, rule)
    select define_scenario.name, b.position, b.factor, (b.filter).categories, (b.filter).in_stock, (b.filter).min_price,
        (b.filter).max_price, (b.filter).tags, (b.filter).attributes, (b.filter).item_ids, (b.filter).exclude_item_ids,
        (b.filter).rule
    from unnest(boosts) with ordinality b (filter, factor, position);
    insert into recsys.scenario_pins (scenario, place, item_id)
    select define_scenario.name, p.place, p.item_id from unnest(pins) p;
end $$;
