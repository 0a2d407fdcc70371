-- Makes searchable_items and item_texts, the copies of recsys.items, what they should be; returns what differed.
--
-- Triggers keep them so; this is for after triggers were off: session_replication_role = replica, pg_restore
-- --disable-triggers, alter table … disable trigger. recsys-pg doctor tells when it is needed.
--
-- Arguments
--   item_ids  look at these items only; NULL for all
--   dry_run   compare only: writes and locks nothing, works on a replica too
-- Columns
--   copy              recsys.searchable_items or recsys.item_texts
--   rows_missing      items without their row
--   rows_wrong        rows that differ from their item
--   rows_superfluous  rows whose item is gone or, in searchable_items, has no embedding
--   rows_mended       rows written or deleted
--   rows_left         rows that differ still: in a dry run all, else those that others held for 5 s; call it again
-- Order: searchable_items, then item_texts.
-- Locks: while comparing none, then those rows of items that differ (for no key update), until the transaction ends:
-- who writes the same item comes before, and is copied, or after, and copies by its trigger. Nobody else waits. Rows
-- that others hold are left and tried again, so it cannot be part of a deadlock with writers. recsys-pg language waits.
-- Cost: a scan of all items, about 0.15 ms an item, most of it for the words of its text; writes only rows that differ.
-- For the owner of the schema.
-- Example: select * from recsys_api.refresh_copies(dry_run => true);
create or replace function recsys_api.refresh_copies(item_ids bigint[] default null, dry_run boolean default false)
returns table (
    copy text, rows_missing bigint, rows_wrong bigint, rows_superfluous bigint, rows_mended bigint, rows_left bigint)
language plpgsql volatile rows 2
set search_path from current
set client_min_messages = warning
set plan_cache_mode = force_custom_plan
as $$
declare
    tongue         record;
    narrow         record;
    texts          record;
    narrow_left    bigint[];
    texts_left     bigint[];
    narrow_mended  bigint := 0;
    texts_mended   bigint := 0;
    held           bigint[];
    narrow_held    bigint[];
    texts_held     bigint[];
    mended         bigint;
    give_up_at     timestamptz;
begin
    if not refresh_copies.dry_run then
        perform pg_advisory_xact_lock(hashtext('recsys_api.refresh_copies'));
        -- else a row that this adds in the old language could be committed after the change to another is complete
        perform from recsys.catalogue_language l for share;
    end if;
    select l.language, recsys.text_search_config(l.language) as config,
        l.previous_language, recsys.text_search_config(l.previous_language) as previous_config
    into strict tongue
    from recsys.catalogue_language l;

    -- each comparison is one statement, so that it sees items and copy as of one moment
    select coalesce(array_agg(d.id), '{}') as ids, count(*) filter (where d.is_missing) as missing,
        count(*) filter (where d.is_superfluous) as superfluous
    into narrow
    from (
        select coalesce(e.id, s.id) as id, s.id is null as is_missing, e.id is null as is_superfluous
        from (
            select i.id, i.price, i.in_stock, i.category, i.created_at,
                recsys.embedding_code(i.embedding) as code, i.tags, i.attributes
            from recsys.items i
            where i.embedding is not null
                and (refresh_copies.item_ids is null or i.id = any (refresh_copies.item_ids))
        ) e
        full join (
            select * from recsys.searchable_items s
            where refresh_copies.item_ids is null or s.id = any (refresh_copies.item_ids)
        ) s on s.id = e.id
        where e.id is null or s.id is null
            or (s.price, s.price_band, s.in_stock, s.category, s.created_at, s.code, s.tags, s.attributes)
                is distinct from
                (e.price, recsys.kept_price_band(s.price_band, e.price), e.in_stock, e.category, e.created_at, e.code, e.tags, e.attributes)
    ) d;
    -- while recsys-pg language runs, words of the language before are right too
    select coalesce(array_agg(d.id), '{}') as ids, count(*) filter (where d.is_missing) as missing,
        count(*) filter (where d.is_superfluous) as superfluous
    into texts
    from (
        select coalesce(i.id, t.item_id) as id, t.item_id is null as is_missing, i.id is null as is_superfluous
        from (
            select * from recsys.items i
            where refresh_copies.item_ids is null or i.id = any (refresh_copies.item_ids)
        ) i
        full join (
            select * from recsys.item_texts t
            where refresh_copies.item_ids is null or t.item_id = any (refresh_copies.item_ids)
        ) t on t.item_id = i.id
        cross join lateral (
            select case when t.language = tongue.previous_language then tongue.previous_config
                else tongue.config end as config
        ) c
        where i.id is null or t.item_id is null
            or t.language not in (tongue.language, coalesce(tongue.previous_language, tongue.language))
            or (t.external_id, t.title_hash, t.title, t.document) is distinct from (
                recsys.text_key(i.external_id), md5(recsys.text_key(i.title))::uuid,
                recsys.title_words(c.config, i.title),
                recsys.item_document(c.config, i.title, i.description, i.category, i.tags))
    ) d;
    narrow_left := narrow.ids;
    texts_left := texts.ids;

    give_up_at := clock_timestamp() + interval '5 s';
    while not refresh_copies.dry_run and cardinality(narrow_left || texts_left) > 0 loop
        -- a writer holds its item before its trigger writes the copy: what is read below is the newest, and stays so
        held := array(
            select i.id from recsys.items i where i.id = any (narrow_left || texts_left)
            order by i.id for no key update skip locked);
        -- where the item is gone, who inserts it anew stops at the row of the copy
        narrow_held := array(
            select s.id from recsys.searchable_items s
            where s.id = any (narrow_left) and not exists (select from recsys.items i where i.id = s.id)
            for update skip locked);
        texts_held := array(
            select t.item_id from recsys.item_texts t
            where t.item_id = any (texts_left) and not exists (select from recsys.items i where i.id = t.item_id)
            for update skip locked);

        delete from recsys.searchable_items s
        where s.id = any (narrow_left) and s.id = any (held || narrow_held)
            and not exists (select from recsys.items i where i.id = s.id and i.embedding is not null);
        get diagnostics mended = row_count;
        narrow_mended := narrow_mended + mended;
        insert into recsys.searchable_items as s
            (id, price, price_band, in_stock, category, created_at, code, tags, attributes)
        select i.id, i.price, recsys.price_band(i.price), i.in_stock, i.category, i.created_at,
            recsys.embedding_code(i.embedding), i.tags, i.attributes
        from recsys.items i
        where i.id = any (narrow_left) and i.id = any (held) and i.embedding is not null
        on conflict (id) do update set (price, price_band, in_stock, category, created_at, code, tags, attributes) =
            (excluded.price, excluded.price_band, excluded.in_stock, excluded.category, excluded.created_at,
            excluded.code, excluded.tags, excluded.attributes)
        where (s.price, s.price_band, s.in_stock, s.category, s.created_at, s.code, s.tags, s.attributes)
            is distinct from (excluded.price, excluded.price_band, excluded.in_stock, excluded.category,
            excluded.created_at, excluded.code, excluded.tags, excluded.attributes);
        get diagnostics mended = row_count;
        narrow_mended := narrow_mended + mended;

        delete from recsys.item_texts t
        where t.item_id = any (texts_held) and not exists (select from recsys.items i where i.id = t.item_id);
        get diagnostics mended = row_count;
        texts_mended := texts_mended + mended;
        insert into recsys.item_texts as t (item_id, language, external_id, title_hash, title, document)
        select i.id, tongue.language, recsys.text_key(i.external_id), md5(recsys.text_key(i.title))::uuid,
            recsys.title_words(tongue.config, i.title),
            recsys.item_document(tongue.config, i.title, i.description, i.category, i.tags)
        from recsys.items i
        where i.id = any (texts_left) and i.id = any (held)
        on conflict (item_id) do update set (language, external_id, title_hash, title, document) =
            (excluded.language, excluded.external_id, excluded.title_hash, excluded.title, excluded.document)
        where (t.language, t.external_id, t.title_hash, t.title, t.document) is distinct from
            (excluded.language, excluded.external_id, excluded.title_hash, excluded.title, excluded.document);
        get diagnostics mended = row_count;
        texts_mended := texts_mended + mended;

        -- what is still there and was held by others
        narrow_left := array(
            select l.id from (select unnest(narrow_left) except select unnest(held || narrow_held)) l (id)
            where exists (select from recsys.items i where i.id = l.id)
                or exists (select from recsys.searchable_items s where s.id = l.id));
        texts_left := array(
            select l.id from (select unnest(texts_left) except select unnest(held || texts_held)) l (id)
            where exists (select from recsys.items i where i.id = l.id)
                or exists (select from recsys.item_texts t where t.item_id = l.id));
        exit when clock_timestamp() > give_up_at;
        if cardinality(narrow_left || texts_left) > 0 then
            perform pg_sleep(0.05);
        end if;
    end loop;

    return query values
        ('recsys.searchable_items', narrow.missing, cardinality(narrow.ids) - narrow.missing - narrow.superfluous,
            narrow.superfluous, narrow_mended, cardinality(narrow_left)::bigint),
        ('recsys.item_texts', texts.missing, cardinality(texts.ids) - texts.missing - texts.superfluous,
            texts.superfluous, texts_mended, cardinality(texts_left)::bigint);
end $$;
