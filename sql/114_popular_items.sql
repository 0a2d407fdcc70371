-- The most popular items that pass the filter.
--
-- Arguments: n, the length of the list, 1 to 1,000; filter, recsys_api.item_filter(…);
-- since: count only interactions from this time on; then only items with one are listed.
-- Order: score, highest first; then, without since, items that nobody has interacted with, highest id first.
-- score = sum over positive interactions of weight * 0.5 ^ (age / half-life), age counted back from the newest
-- interaction; setting popularity.half_life_days.
-- Freshness: without since as of the last recsys_api.refresh_popularity(), which worker and train call.
-- Errors: RS010 for n, or since in the future; RS013 for a rule that is unknown or broken.
-- Cost: an index walk; with since in proportion to the interactions since then.
-- Example: select title, score from recsys_api.popular_items(5, recsys_api.item_filter(in_stock => true));
create or replace function recsys_api.popular_items(
    n integer default 10, filter recsys_api.filter default null, since timestamptz default null)
returns setof recsys_api.found_item
language plpgsql stable rows 20
set search_path from current
set jit = off
as $$
declare
    half_life_days double precision := recsys_api._setting('popularity.half_life_days');
    newest         timestamptz := (select least(max(i.occurred_at), now()) from recsys.interactions i);
begin
    perform recsys_api._check_length(n);
    if since > now() then
        raise exception using errcode = 'RS010',
            message = format('since is %s, in the future', since),
            hint = 'Pass a time in the past, or leave it out for all interactions.';
    end if;
    if since is null then
        return query
            select p.position, i.id, i.external_id, i.title, i.category, i.price, i.in_stock,
                case when p.popularity is null then 0 else power(2, least(1000, greatest(-1000, p.popularity
                    - extract(epoch from newest - timestamptz '2000-01-01 00:00+00') / 86400 / half_life_days))) end
            from recsys_api._popular_items(popular_items.n, popular_items.filter) with ordinality
                p (id, popularity, position)
            join recsys.items i on i.id = p.id
            order by p.position;
    else
        return query execute format(
            'select row_number() over (order by s.score desc, item.id), item.id, item.external_id, item.title,
                 item.category, item.price, item.in_stock, s.score
             from (select a.item_id, sum(w.weight * power(0.5, least(1000,
                       extract(epoch from $3 - least(a.occurred_at, $3)) / 86400 / $4))) as score
                   from recsys.interactions a
                   join recsys.interaction_kinds k on k.kind = a.kind
                   cross join lateral (select recsys_api._interaction_weight(k.weight, k.value_center, a.value) as weight) w
                   where a.occurred_at >= $2 and w.weight > 0
                   group by a.item_id) s
             join recsys.items item on item.id = s.item_id
             where true %s
             order by s.score desc, item.id limit %s',
            recsys_api._filter_conditions(popular_items.filter), popular_items.n)
        using popular_items.filter, since, newest, half_life_days;
    end if;
end $$;
