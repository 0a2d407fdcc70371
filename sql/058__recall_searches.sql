-- Private. Searches to check, made from the catalogue: for each given share of the items, a query, and a filter that about
-- this share passes; none for a share of 1.
--
-- One query in two is that of a random item, which is left out of the answer. Items are the easiest to search for: the
-- index leads to what is in it, and finds .998 of what is nearest to an item where it finds .92 for texts that people type.
-- So the others are what is searched for besides: texts that are kept in recsys.query_embeddings and the tastes of users;
-- where there are neither, the mean of an item and the four nearest to it of a thousand, in which recall is as for texts.
-- A share of NULL asks for a filter that really ran: one of recsys.filter_samples, for half of them with a query of an
-- item that passes it. Where there is none, and on a replica, which has no samples, a filter of some share is made.
-- Filters are made in turn of categories, tags, stock, prices and ids, those that the catalogue has, and narrowed by
-- prices down to the share; the categories and tags are those nearest to the query, farthest from it, or any.
-- Cost: a scan of recsys.items, and 2 ms a search.
create or replace function recsys_api._recall_searches(shares double precision[])
returns table (query vector, filter recsys_api.filter)
language plpgsql volatile rows 200
set search_path from current
as $$
declare
    pool        recsys.items[] := array(
        select i from recsys.items i where i.embedding is not null order by random() limit 1000);
    pool_size   integer := cardinality(pool);
    items       bigint := (select count(*) from recsys.items i where i.embedding is not null);
    prices      numeric[] := array(select p.price from unnest(pool) p where p.price is not null order by p.price);
    stock_share double precision;
    kinds       text[];
    real        recsys_api.filter[] := '{}';
    rule        record;
    wanted      double precision;
    position    bigint;
    turn        integer := floor(random() * 5);
    item        recsys.items;
    kind        text;
    direction   integer;
    reached     double precision;
    width       double precision;
    start       integer;
    is_item     boolean;
    others      vector[];
begin
    select array_remove(array[
            case when count(p.category) > 0 then 'categories' end,
            case when count(*) filter (where p.tags <> '{}') > 0 then 'tags' end,
            case when count(*) filter (where p.in_stock) between 1 and pool_size - 1 then 'stock' end,
            case when count(p.price) > 0 then 'prices' end,
            'ids'], null),
        count(*) filter (where p.in_stock) / nullif(pool_size, 0)::double precision
    into kinds, stock_share
    from unnest(pool) p;

    others := array(
        select o.embedding
        from (
            (select u.embedding from recsys.users u
             join recsys.models m on m.id = u.embedding_model_id and m.purpose = 'embedding' and m.is_active
             order by random() limit cardinality(shares))
            union all
            (select q.embedding from recsys.query_embeddings q
             join recsys.models m on m.id = q.model_id and m.purpose = 'embedding' and m.is_active
             order by random() limit cardinality(shares))
        ) o
        order by random());

    if not pg_is_in_recovery() then
        real := array(
            select recsys_api.item_filter(
                categories => case when s.category is not null then array[s.category] end,
                tags => s.tags, attributes => s.attributes, rule => s.rule)
            from recsys.filter_samples s
            where s.rule is null or exists (select from recsys.filter_rules r where r.name = s.rule)
            order by random() limit cardinality(shares));
        for rule in select distinct r.rule as name from unnest(real) r where r.rule is not null loop
            begin
                perform recsys_api._rule(rule.name);
            exception when sqlstate 'RS013' or insufficient_privilege then
                real := array(select r from unnest(real) r where r.rule is distinct from rule.name);
            end;
        end loop;
    end if;

    for wanted, position in
        select s.share, s.position from unnest(shares) with ordinality s (share, position) where pool_size > 0
    loop
        item := pool[1 + (position - 1) % pool_size];
        -- by the number of full turns of eight too, as the shares of recsys_api.check_recall come in turns
        is_item := (position + (position - 1) / 8) % 2 = 0;
        if is_item then
            query := item.embedding;
        elsif others <> '{}' then
            others := others[2:] || others[1];
            query := others[1];
        else
            query := (select avg(n.embedding)
                      from (select p.embedding from unnest(pool) p order by p.embedding <=> item.embedding limit 5) n);
        end if;
        filter := null;
        if wanted is null and cardinality(real) > 0 then
            filter := real[1 + position % cardinality(real)];
            if is_item and random() < 0.5 then
                item := coalesce((
                    select p from unnest(pool) p
                    where (filter.categories is null or p.category = any (filter.categories))
                        and (filter.tags is null or p.tags @> filter.tags)
                        and (filter.attributes is null or p.attributes @> filter.attributes)
                    order by random() limit 1), item);
                query := item.embedding;
            end if;
        elsif wanted is null or wanted < 1 then
            wanted := coalesce(wanted, power(10, -4 * random()));
            turn := turn + 1;
            kind := kinds[1 + turn % cardinality(kinds)];
            if kind = 'ids' and wanted * items > pool_size then
                kind := kinds[1];
            end if;
            direction := floor(3 * random()) - 1;
            reached := 1;
            case kind
                when 'categories' then
                    select array_agg(c.category), sum(c.share) into filter.categories, reached
                    from (
                        select c.category, c.share, sum(c.share) over (order by c.place, c.category) as up_to
                        from (
                            select p.category, count(*) / pool_size::double precision as share,
                                min(case when direction = 0 then random()
                                    else direction * (p.embedding <=> query) end) as place
                            from unnest(pool) p where p.category is not null group by p.category
                        ) c
                    ) c
                    where c.up_to - c.share < wanted;
                when 'tags' then
                    select array[t.tag], t.share into filter.tags, reached
                    from (
                        select t.tag, count(*) / pool_size::double precision as share,
                            min(case when direction = 0 then random()
                                else direction * (p.embedding <=> query) end) as place
                        from unnest(pool) p, unnest(p.tags) t (tag) group by t.tag
                    ) t
                    order by t.share < wanted, t.place limit 1;
                when 'stock' then
                    filter.in_stock := true;
                    reached := stock_share;
                when 'ids' then
                    filter.item_ids := array(
                        select p.id from unnest(pool) p order by random() limit greatest(1, round(wanted * items)));
                    reached := wanted;
                else null;
            end case;
            if kind in ('categories', 'tags') and random() < 0.3 and stock_share > 0 then
                filter.in_stock := true;
                reached := reached * stock_share;
            end if;
            if wanted < 0.8 * reached and prices <> '{}' then
                width := wanted / reached * pool_size;
                start := 1 + floor(random() * greatest(0, cardinality(prices) - width + 1));
                filter.min_price := prices[start];
                filter.max_price := prices[least(cardinality(prices), start + round(width)::integer)];
            end if;
        end if;
        if is_item then
            filter := recsys_api._exclude(filter, array[item.id]);
        end if;
        return next;
    end loop;
end $$;
