-- The partial vector indexes that recsys-pg indexes was asked to build: condition, state, size and use on this server.
-- state: ready; building; unfinished (the build was interrupted); gone (the index was dropped by hand); outdated (its
-- rule has changed or was dropped since, so that no search uses it).
create or replace view recsys_report.search_indexes as
select s.index_name::text as index_name, s.category, s.tags, s.attributes, s.rule,
    case
        when not s.is_ready and exists (
            -- the lock that recsys_pg.indexes holds while it builds
            select from pg_locks l
            where l.locktype = 'advisory' and l.classid = 0 and l.objid = 1768842360 and l.granted
                and l.database = (select d.oid from pg_database d where d.datname = current_database())
        ) then 'building'
        when not s.is_ready or not (i.indisvalid and i.indisready) then 'unfinished'
        when c.oid is null then 'gone'
        when s.rule is not null and s.rule_canonical is distinct from r.canonical then 'outdated'
        else 'ready'
    end as state,
    case when c.reltuples >= 0 then c.reltuples::bigint else s.built_rows end as rows,
    coalesce(pg_relation_size(c.oid), 0) as size_bytes, coalesce(u.idx_scan, 0) as scans,
    u.last_idx_scan as last_used_at, s.built_at, s.build_seconds
from recsys.search_indexes s
left join recsys.filter_rules r on r.name = s.rule
left join pg_class c on c.relname = s.index_name and c.relnamespace = to_regnamespace('recsys')
left join pg_index i on i.indexrelid = c.oid
left join pg_stat_user_indexes u on u.indexrelid = c.oid;
