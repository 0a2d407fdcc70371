"""Who keeps vacuum from taking dead rows away."""

from dataclasses import dataclass

import sqlalchemy as sa

LONG_MINUTES = 5
"""From when on a transaction is a long one."""

_HOLDERS = sa.text(
    """
    select concat('the transaction of server process ', a.pid, ' (' || nullif(a.application_name, '') || ')')
        as holder, extract(epoch from now() - a.xact_start)::integer / 60 as minutes,
        'select pg_terminate_backend(' || a.pid || ')' as remedy
    from pg_stat_activity a
    where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
        and a.xact_start < now() - make_interval(mins => :minutes)
        and num_nonnulls(a.backend_xmin, a.backend_xid) > 0
    union all
    select 'the prepared transaction ' || quote_literal(p.gid),
        extract(epoch from now() - p.prepared)::integer / 60, 'rollback prepared ' || quote_literal(p.gid)
    from pg_prepared_xacts p
    where p.database = current_database() and p.prepared < now() - make_interval(mins => :minutes)
    union all
    select 'the replication slot ' || s.slot_name, null, 'select pg_drop_replication_slot('
        || quote_literal(s.slot_name) || ')'
    from pg_replication_slots s where s.xmin is not null and not s.active
    union all
    select 'the replica ' || coalesce(nullif(r.application_name, ''), host(r.client_addr), r.pid::text), null,
        'its longest query; hot_standby_feedback passes it on'
    from pg_stat_replication r where age(r.backend_xmin) > 100000
    order by 2 desc nulls last limit 3
    """
)


@dataclass(frozen=True)
class Holder:
    """A transaction, slot or replica that may still need rows which are dead to all others.

    Attributes:
        who: what it is, and for how long it has been open where that is known.
        remedy: how to end it.
    """

    who: str
    remedy: str


def find_holders(connection: sa.Connection) -> list[Holder]:
    """At most three, that which has been open longest first."""
    return [
        Holder(who if minutes is None else f"{who}, open for {minutes} minutes,", f"End it: {remedy};")
        for who, minutes, remedy in connection.execute(_HOLDERS, {"minutes": LONG_MINUTES})
    ]
