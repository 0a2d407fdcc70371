"""What was built on the names that a switch exchanges, by the application or by us, and has to follow them.

PostgreSQL binds a view to columns, not to their names: it would go on to show what is the standby column
then. Views and SQL functions are written anew, so that they mean the same names; what cannot be written anew
has to be dropped before.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from recsys_pg.errors import UpgradeBlockedError
from recsys_pg.model_switch.names import COLUMNS, COPY, FLAG, STANDBY_FLAG, twin

# columns, and whole tables with all their columns; what depends on each
_USES = """
with exchanged as (
    select a.attrelid as relation, a.attnum as attribute
    from unnest(%(tables)s::text[], %(columns)s::text[]) c (relation, name)
    join pg_attribute a on a.attrelid = to_regclass('recsys.' || c.relation) and a.attname = c.name
    union all
    select t.relation, n from unnest(%(copies)s::regclass[]) t (relation), generate_series(0, 1600) n
),
uses as (
    select distinct d.classid, d.objid
    from exchanged e
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = e.relation
        and d.refobjsubid = e.attribute
)
"""
_VIEWS = f"""{_USES}
select distinct c.oid::regclass::text,
    case when pg_is_other_temp_schema(c.relnamespace) then 't' else c.relkind end,
    pg_get_viewdef(c.oid), array_to_string(c.reloptions, ', '), pg_has_role(c.relowner, 'usage'),
    quote_ident(pg_get_userbyid(c.relowner))
from uses u
join pg_rewrite r on u.classid = 'pg_rewrite'::regclass and r.oid = u.objid
join pg_class c on c.oid = r.ev_class
order by 1
"""
_FUNCTIONS = f"""{_USES}
select p.oid::regprocedure::text, pg_get_functiondef(p.oid), pg_has_role(p.proowner, 'usage'),
    pg_get_userbyid(p.proowner)
from uses u
join pg_proc p on u.classid = 'pg_proc'::regclass and p.oid = u.objid
where p.prokind in ('f', 'p')
order by 1
"""
# triggers and policies that are not ours, generated columns, publications; constraints, and indexes of the
# narrow copy, that lack a twin
_OTHERS = f"""{_USES}
select pg_describe_object(u.classid, u.objid, 0)
from uses u
left join pg_trigger t on u.classid = 'pg_trigger'::regclass and t.oid = u.objid
left join pg_policy p on u.classid = 'pg_policy'::regclass and p.oid = u.objid
left join pg_constraint c on u.classid = 'pg_constraint'::regclass and c.oid = u.objid
left join pg_index i on u.classid = 'pg_class'::regclass and i.indexrelid = u.objid
    and i.indrelid = any (%(copies)s::regclass[])
left join pg_class n on n.oid = i.indexrelid
left join pg_attrdef f on u.classid = 'pg_attrdef'::regclass and f.oid = u.objid
left join pg_attribute g on g.attrelid = f.adrelid and g.attnum = f.adnum
where u.classid = 'pg_publication_rel'::regclass
    or g.attgenerated <> ''
    or not t.tgisinternal and t.tgname !~ '^(items|users|models)_[0-9]0_'
    or p.polname not like '%%searchable_items_hidden'
    or c.contype <> 'n' and c.conname <> 'models_standby_check' and not exists (
        select from pg_constraint o where o.connamespace = c.connamespace
            and (o.conname = (%(prefix)s || c.conname)::name or c.conname = (%(prefix)s || o.conname)::name))
    or not exists (
        select from pg_class o where o.relnamespace = n.relnamespace
            and (o.relname = (%(prefix)s || n.relname)::name or n.relname = (%(prefix)s || o.relname)::name))
    and i.indexrelid is not null
order by 1
"""


@dataclass(frozen=True)
class Followers:
    """Views and functions that follow the names.

    Attributes:
        locks: statements that change nothing, but keep everybody out of a view. Who reads a view has locked
            it before he waits for a table; so the views come before the tables.
        anew: statements that write them as they are, to be executed after the exchange.
    """

    locks: list[str]
    anew: list[str]


def find_followers(connection: psycopg.Connection[Any]) -> Followers:
    """What follows.

    Args:
        connection: in a transaction, whose search_path is pg_catalog alone, so that every schema is named.

    Raises:
        UpgradeBlockedError: something cannot follow, or belongs to somebody else.
    """
    pairs = [(table, name) for table, names in COLUMNS.items() for name in names]
    names = [
        *pairs,
        *((table, twin(name)) for table, name in pairs),
        ("models", FLAG),
        ("models", STANDBY_FLAG),
    ]
    parameters = {
        "tables": [table for table, _ in names],
        "columns": [name for _, name in names],
        "copies": [f"recsys.{COPY}", f"recsys.{twin(COPY)}"],
        "prefix": twin(""),
    }
    locks, statements, obstacles = [], [], []
    for name, kind, definition, options, is_ours, owner in connection.execute(_VIEWS, parameters):
        if kind == "v" and is_ours:
            with_ = f" with ({options})" if options else ""
            statements.append(f"create or replace view {name}{with_} as {definition}")
            locks.append(f"alter view {name} owner to {owner}")
        elif kind == "t":
            obstacles.append(f"the temporary view {name} of another session")
        elif kind == "v":
            obstacles.append(f"view {name}, which belongs to {owner}")
        else:
            obstacles.append(f"materialized view {name}" if kind == "m" else f"a rule of {name}")
    for name, definition, is_ours, owner in connection.execute(_FUNCTIONS, parameters):
        if is_ours:
            statements.append(definition)
        else:
            obstacles.append(f"function {name}, which belongs to {owner}")
    obstacles += [name for (name,) in connection.execute(_OTHERS, parameters)]
    if obstacles:
        raise UpgradeBlockedError(
            f"This was built on the embeddings and cannot follow a switch: {'; '.join(obstacles)}.",
            "Drop it, and create it again after the switch; or, of another's, run the switch as a superuser.",
        )
    return Followers(locks, statements)
