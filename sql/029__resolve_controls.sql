-- Private. The controls of a call: what it says itself, else what its scenario says, else the defaults. The filters of both
-- hold. RS010 for what is out of range, RS014 for an unknown scenario.
create or replace function recsys_api._resolve_controls(scenario text, given recsys_api._controls)
returns recsys_api._controls
language plpgsql stable
set search_path from current
as $$
declare
    stored  record;
    known   text;
begin
    if num_nonnulls(given.method, given.diversity, given.max_per_category, given.popularity_damping, given.rotation,
        given.rotation_half_life, given.new_item_share) > 0
    then
        perform recsys_api._check_controls(given);
    end if;
    if scenario is not null then
        select s.*, row(s.categories, s.in_stock, s.min_price, s.max_price, s.tags, s.attributes, s.item_ids,
                s.exclude_item_ids, s.rule)::recsys_api.filter as filter
        into stored from recsys.scenarios s where s.name = scenario;
        if not found then
            select string_agg(s.name, ', ' order by s.name) into known
            from (select t.name from recsys.scenarios t order by t.name limit 5) s;
            raise exception using errcode = 'RS014',
                message = format('there is no scenario %s', quote_literal(left(scenario, 100))),
                hint = format('%s recsys_api.define_scenario defines one.',
                    coalesce('There are: ' || known || '; all are listed in recsys.scenarios, and by recsys-pg scenarios.', 'None is defined.'));
        end if;
        given.filter := recsys_api._both_filters(given.filter, stored.filter);
        given.method := coalesce(given.method, stored.method);
        given.exclude_seen := coalesce(given.exclude_seen, stored.exclude_seen);
        given.diversity := coalesce(given.diversity, stored.diversity);
        given.max_per_category := coalesce(given.max_per_category, stored.max_per_category);
        given.popularity_damping := coalesce(given.popularity_damping, stored.popularity_damping);
        given.rotation := coalesce(given.rotation, stored.rotation);
        given.rotation_half_life := coalesce(given.rotation_half_life, stored.rotation_half_life);
        given.new_item_share := coalesce(given.new_item_share, stored.new_item_share);
        given.boosts := (
            select array_agg(row(row(b.categories, b.in_stock, b.min_price, b.max_price, b.tags, b.attributes,
                b.item_ids, b.exclude_item_ids, b.rule)::recsys_api.filter, b.factor)::recsys_api.boost order by b.position)
            from recsys.scenario_boosts b where b.scenario = stored.name);
        given.pins := (
            select array_agg(row(p.item_id, p.place)::recsys_api.pin order by p.place)
            from recsys.scenario_pins p where p.scenario = stored.name);
    end if;
    if given.shown_item_ids is not null then
        given.shown_item_ids := array(select distinct s.id from unnest(given.shown_item_ids) s (id) where s.id is not null);
    end if;
    return row(given.filter, coalesce(given.method, 'hybrid'), coalesce(given.exclude_seen, true),
        coalesce(given.diversity, 0), given.max_per_category, coalesce(given.popularity_damping, 0),
        coalesce(given.rotation, 0), coalesce(given.rotation_half_life, interval '1 day'),
        coalesce(given.new_item_share, 0), given.boosts, given.pins,
        coalesce(given.shown_item_ids, '{}'))::recsys_api._controls;
end $$;
