"""What recsys_pg puts into a database, as text, one line an object: a diff shows what a change changes.

Run it to write schema_snapshot.txt anew; it starts a private PostgreSQL and needs nothing else.
"""

import tempfile
from pathlib import Path

import psycopg

from recsys_pg import db, embedded, schema

SNAPSHOT = Path(__file__).with_name("schema_snapshot.txt")

OBJECTS = """
with ours as (
    select oid, nspname from pg_namespace where nspname in ('recsys', 'recsys_api', 'recsys_report')
)
select format('table %s.%s%s', o.nspname, c.relname, ' with ' || array_to_string(c.reloptions, ', '))
from pg_class c join ours o on o.oid = c.relnamespace where c.relkind = 'r'
union all
select format('%s %s.%s column %s %s %s%s%s%s%s',
    case c.relkind when 'r' then 'table' when 'v' then 'view' else 'type' end,
    o.nspname, c.relname, lpad(a.attnum::text, 2, '0'), a.attname, format_type(a.atttypid, a.atttypmod),
    case when a.attnotnull then ' not null' end,
    case a.attidentity when 'a' then ' identity always' when 'd' then ' identity' end,
    case when a.attstorage <> t.typstorage then ' storage ' || a.attstorage::text end,
    case a.attgenerated when 's' then ' generated ' else ' default ' end || pg_get_expr(d.adbin, d.adrelid))
from pg_attribute a
join pg_type t on t.oid = a.atttypid
join pg_class c on c.oid = a.attrelid
join ours o on o.oid = c.relnamespace
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'c')
union all
select format('table %s.%s constraint %s %s', o.nspname, c.relname, n.conname, pg_get_constraintdef(n.oid))
from pg_constraint n join pg_class c on c.oid = n.conrelid join ours o on o.oid = c.relnamespace
where n.contype <> 'n'
union all
select format('table %s.%s index %s', o.nspname, c.relname, substr(pg_get_indexdef(i.indexrelid), 8))
from pg_index i join pg_class c on c.oid = i.indrelid join ours o on o.oid = c.relnamespace
union all
select format('table %s.%s trigger %s', o.nspname, c.relname, substr(pg_get_triggerdef(t.oid), 8))
from pg_trigger t join pg_class c on c.oid = t.tgrelid join ours o on o.oid = c.relnamespace
where not t.tgisinternal
union all
select format('function %s.%s(%s) returns %s %s%s%s', o.nspname, p.proname, pg_get_function_arguments(p.oid),
    pg_get_function_result(p.oid),
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
    case when p.prosecdef then ' security definer' end, ' set ' || array_to_string(p.proconfig, ' set '))
from pg_proc p join ours o on o.oid = p.pronamespace
"""


def describe(connection: psycopg.Connection) -> str:
    """The tables, columns, constraints, indexes, triggers and functions of the three schemas, sorted."""
    connection.execute("set local search_path = pg_catalog")
    return "".join(sorted(f"{line}\n" for (line,) in connection.execute(OBJECTS)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        server = embedded.start(Path(directory) / "data", on_exit="delete")
        schema.migrate(db.create_engine(server.url))
        with psycopg.connect(server.url) as connection:
            SNAPSHOT.write_text(describe(connection), encoding="utf-8")
        server.stop()
