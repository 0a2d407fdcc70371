-- Private. The factors by which controls multiply the scores of items, in their order.
--
--   popularity  sum of the weights of an item's interactions, decayed to the newest interaction; 0 for an unknown item
--   boost       product of the factors of the boosts whose filter the item passes
--   damping     1 / (1 + popularity) ^ popularity_damping, after the frequency scaling of Deshpande and Karypis (ACM TOIS
--               2004, section 4.2.2)
--   rotation    1 - rotation * 0.5 ^ (time since the user was shown the item / rotation_half_life)
-- A score below 0 is divided instead, so that what lowers lowers. No factor is below 1e-6.
create or replace function recsys_api._adjustments(
    item_ids bigint[], controls recsys_api._controls, user_id bigint)
returns table ("position" bigint, popularity double precision, boost double precision, damping double precision,
    rotation double precision)
language plpgsql stable rows 100
set search_path from current
set jit = off
as $$
#variable_conflict use_column
declare
    half_life_days  double precision := recsys_api._setting('popularity.half_life_days');
    newest          timestamptz := (select least(max(i.occurred_at), now()) from recsys.interactions i);
    boosted         double precision[] := array_fill(1::double precision, array[cardinality(item_ids)]);
    rule            recsys_api.boost;
    hits            bigint[];
begin
    foreach rule in array coalesce(controls.boosts, '{}') loop
        execute 'select array_agg(item.id) from recsys.items item where item.id = any ($2)'
            || recsys_api._filter_conditions(rule.filter)
        into hits using rule.filter, item_ids;
        if hits is not null then
            select array_agg(case when u.id = any (hits) then u.boost * rule.factor else u.boost end order by u.position)
            into boosted from unnest(item_ids, boosted) with ordinality u (id, boost, position);
        end if;
    end loop;
    return query
        select u.position, w.popularity, u.boost,
            case when controls.popularity_damping > 0
                then greatest(1e-6, power(1 + w.popularity, -controls.popularity_damping)) else 1 end,
            case when controls.rotation > 0 and s.shown_at is not null
                then greatest(1e-6, 1 - controls.rotation * power(0.5, least(1000,
                    extract(epoch from greatest(interval '0', now() - s.shown_at))::double precision
                    / extract(epoch from controls.rotation_half_life)::double precision))) else 1 end
        from unnest(item_ids, boosted) with ordinality u (id, boost, position)
        left join recsys.item_popularity p on p.item_id = u.id
        left join recsys.impressions s on controls.rotation > 0 and s.user_id = _adjustments.user_id and s.item_id = u.id
        cross join lateral (select coalesce(power(2, least(300, greatest(-1000, p.log2_weight
            - extract(epoch from newest - timestamptz '2000-01-01 00:00+00') / 86400 / half_life_days))), 0)
            as popularity) w
        order by u.position;
end $$;
