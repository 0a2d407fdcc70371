-- A small catalogue, the same on every machine: 60 films in 4 categories of 15, 30 people in 4 taste groups.
--
-- Embeddings lie around one axis a category. Films 1 to 56 are liked by somebody or at least in the item graph.
--   57  embedded and viewed, not in the item graph
--   58  in the item graph, not embedded
--   59  embedded, neither in the graph nor known to anybody
--   60  nothing but its text
-- Users 1 to 28 belong to taste group (id - 1) % 4 + 1, which is their category; user 29 only dislikes; 30 is new.
insert into recsys.items (id, external_id, title, description, category, tags, price, in_stock, attributes, embedding)
select i.id, 'film-' || i.id, c.category || ' ' || (i.id - 1) % 15 + 1, 'About ' || lower(c.category) || '.',
    c.category,
    array_remove(array[case when i.id % 2 = 0 then 'even' else 'odd' end, case when i.id % 5 = 0 then 'classic' end], null),
    case when i.id % 10 <> 0 then i.id / 2.0 end,
    i.id % 3 <> 0,
    jsonb_build_object('year', 1960 + i.id, 'languages', case when i.id % 4 = 0 then '["en", "fr"]' else '["en"]' end::jsonb),
    case when i.id not in (58, 60) then v.embedding end
from generate_series(1, 60) i (id)
cross join lateral (
    select (array['Drama', 'Comedy', 'Horror', 'Science'])[(i.id - 1) / 15 + 1] as category, (i.id - 1) / 15 as axis
) c
cross join lateral (
    select array_agg((case when d.d = c.axis * 50 then 1 else 0 end + 0.02 * sin(i.id * (d.d + 1)))::real order by d.d)::vector
        as embedding
    from generate_series(0, 383) d (d)
) v;
select setval(pg_get_serial_sequence('recsys.items', 'id'), 60);

insert into recsys.users (id, external_id) select u.id, 'person-' || u.id from generate_series(1, 30) u (id);
select setval(pg_get_serial_sequence('recsys.users', 'id'), 30);

-- What the people of a taste group did in their own category (films 13 to 15 of a category excepted) …
insert into recsys.interactions (user_id, item_id, kind, value, event_id, occurred_at)
select u.id, (u.id - 1) % 4 * 15 + 1 + ((u.id - 1) / 4 * 3 + k.n * 5) % 12, k.kind, case when k.kind = 'rating' then 5 end,
    case when k.n = 1 then 'event-' || u.id end,
    timestamptz '2025-06-01 12:00+00' + u.id * interval '1 day' + k.n * interval '1 hour'
from generate_series(1, 28) u (id)
cross join unnest(array['view', 'click', 'cart', 'purchase', 'like', 'rating']) with ordinality k (kind, n);

-- … and in the next one.
insert into recsys.interactions (user_id, item_id, kind, value, occurred_at)
select u.id, u.id % 4 * 15 + 1 + ((u.id - 1) / 4 * 5 + k.n) % 12, k.kind, case when k.kind = 'rating' then 1 end,
    timestamptz '2025-06-02 12:00+00' + u.id * interval '1 day' + k.n * interval '1 hour'
from generate_series(1, 29) u (id)
cross join unnest(array['dislike', 'hide', 'rating']) with ordinality k (kind, n)
where u.id < 29 or k.kind = 'dislike';

insert into recsys.interactions (user_id, item_id, kind, occurred_at) values (4, 57, 'view', '2025-06-20 12:00+00');

-- The item graph: the three films before and after in the category, and a negative edge to the next category.
insert into recsys.models (purpose, name, revision, is_active) values ('collaborative', 'by hand', '1', true);
insert into recsys.item_neighbors (model_id, item_id, neighbor_ids, weights)
select m.id, i.id, n.neighbor_ids, n.weights
from recsys.models m
cross join recsys.items i
cross join lateral (
    select array_agg(e.item_id order by e.item_id) as neighbor_ids,
        array_agg(e.weight::real order by e.item_id) as weights
    from (
        select j.id as item_id, 1.0 / (1 + abs(j.id - i.id)) + j.id / 1000.0 as weight
        from recsys.items j
        where j.category = i.category and j.id <> i.id and abs(j.id - i.id) <= 3
        union all
        select i.id % 45 + 15, -0.2 where i.id <= 45
    ) e
    where e.item_id not in (57, 59, 60)
) n
where m.purpose = 'collaborative' and i.id not in (57, 59, 60);

select recsys_api.refresh_popularity();
select recsys_api.refresh_tastes();
-- what a call leaves behind must not depend on chance
update recsys.settings set value = '0' where key = 'search.sample_share';
