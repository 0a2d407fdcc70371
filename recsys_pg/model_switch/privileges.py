"""Privileges are granted for names, so those of twins are exchanged back."""

from typing import Any

import psycopg

from recsys_pg.model_switch.names import TABLES, twin

# of each name with a twin, what it has and what it will have got from the twin
_EXCHANGED = """
with pairs as (
    select a.oid::regclass::text as owner, null::text as attribute,
        coalesce(a.relacl, acldefault('r', a.relowner)) as acl,
        coalesce(b.relacl, acldefault('r', b.relowner)) as twin_acl
    from pg_class a
    join pg_class b on b.relnamespace = a.relnamespace
        and (b.relname = (%(prefix)s || a.relname)::name or a.relname = (%(prefix)s || b.relname)::name)
    where a.oid = any (%(tables)s::regclass[]) and b.oid = any (%(tables)s::regclass[])
    union all
    select a.attrelid::regclass::text, quote_ident(a.attname), a.attacl, b.attacl
    from pg_attribute a
    join pg_attribute b on b.attrelid = a.attrelid and not b.attisdropped
        and (b.attname = (%(prefix)s || a.attname)::name or a.attname = (%(prefix)s || b.attname)::name)
    where a.attrelid = any (%(tables)s::regclass[]) and not a.attisdropped
),
changed as (select * from pairs p where p.acl is distinct from p.twin_acl)
select format('revoke all %%s on %%s from %%s', '(' || c.attribute || ')', c.owner,
    case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end), 1 as step
from changed c
cross join lateral (select distinct x.grantee from aclexplode(c.twin_acl) x) a
union all
select format('grant %%s %%s on %%s to %%s%%s', a.privilege_type, '(' || c.attribute || ')', c.owner,
    case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
    case when a.is_grantable then ' with grant option' end), 2
from changed c
cross join lateral aclexplode(c.acl) a
order by step
"""


def privileges_of_names(connection: psycopg.Connection[Any]) -> list[str]:
    """Statements, for after the exchange, that give each name the privileges that it has now."""
    parameters = {"tables": [f"recsys.{table}" for table in TABLES], "prefix": twin("")}
    return [statement for statement, _ in connection.execute(_EXCHANGED, parameters)]
