"""Whether updates are cheap and dead rows go: HOT share, dead rows, bloat, and what spoils them."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from recsys_pg.cli.vacuum_holders import find_holders

_MANY_DEAD = 0.2
_FEW_ROWS = 10_000

# pages of rows of the width that the statistics tell, as many to a page as the fillfactor lets
_HEALTH = sa.text(
    """
    select c.relname::text as table, coalesce(s.n_tup_upd, 0) as updates,
        s.n_tup_hot_upd / nullif(s.n_tup_upd, 0)::double precision as hot_share,
        coalesce(s.n_live_tup, 0) as live_rows, coalesce(s.n_dead_tup, 0) as dead_rows,
        case when w.width is not null and c.reltuples > :few then greatest(0, 1 - c.reltuples
            / greatest(1, floor(8168.0 * w.fillfactor / 100 / (w.width + 28)))
            / nullif(pg_relation_size(c.oid) / current_setting('block_size')::integer, 0)) end as bloat
    from pg_class c
    left join pg_stat_user_tables s on s.relid = c.oid
    left join lateral (
        select sum(p.avg_width * (1 - p.null_frac)) as width,
            coalesce((select o.option_value::integer from pg_options_to_table(c.reloptions) o
                where o.option_name = 'fillfactor'), 100) as fillfactor
        from pg_stats p where p.schemaname = 'recsys' and p.tablename = c.relname
    ) w on true
    where c.relnamespace = 'recsys'::regnamespace
        and c.relname in ('items', 'searchable_items', 'users', 'embedding_jobs')
    order by pg_relation_size(c.oid) desc
    """
)
# what a price or stock update writes; an index over one of these makes each such update write all indexes
_SPOILING_INDEXES = sa.text(
    """
    select i.indexrelid::regclass::text, string_agg(a.attname, ', ' order by a.attname)
    from pg_index i
    join pg_depend d
        on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.refobjid = i.indrelid
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where i.indrelid in ('recsys.items'::regclass, 'recsys.searchable_items'::regclass)
        and a.attname in ('price', 'in_stock', 'updated_at')
    group by i.indexrelid order by 1
    """
)
_UNCLEANED = sa.text(
    """
    select c.relname::text from pg_class c, pg_options_to_table(c.reloptions) o
    where c.relnamespace = 'recsys'::regnamespace and o.option_name = 'autovacuum_enabled'
        and not o.option_value::boolean
    """
)


@dataclass(frozen=True)
class TableHealth:
    """How the updates of a table went since its statistics began.

    Attributes:
        table: its name, in schema recsys.
        updates: rows updated.
        hot_share: of these, the share that wrote no index (HOT); None without any. Price and stock updates do
            not; a vector that is written does.
        live_rows, dead_rows: as the statistics say.
        bloat: the share of its pages that its rows do not need, roughly; None where that is not known.
    """

    table: str
    updates: int
    hot_share: float | None
    live_rows: int
    dead_rows: int
    bloat: float | None


@dataclass(frozen=True)
class Spoiler:
    """What makes updates dear or keeps dead rows from going, and the remedy."""

    what: str
    remedy: str


def read_health(connection: sa.Connection) -> list[TableHealth]:
    """Of the tables that are updated all day, the largest first."""
    return [TableHealth(*row) for row in connection.execute(_HEALTH, {"few": _FEW_ROWS})]


def find_spoilers(connection: sa.Connection, health: Sequence[TableHealth]) -> list[Spoiler]:
    """What spoils them; who keeps dead rows from going is told only where these are many."""
    found = [
        Spoiler(
            f"The index {name} over {columns} makes every update of these write all indexes.",
            f"Run: drop index concurrently {name}. Searches filter by price without one.",
        )
        for name, columns in connection.execute(_SPOILING_INDEXES)
    ]
    dead = [table for table in health if table.dead_rows > max(_FEW_ROWS, _MANY_DEAD * table.live_rows)]
    if not dead:
        return found
    rows = ", ".join(f"{table.dead_rows:,} in {table.table}" for table in dead)
    holders = find_holders(connection)
    found += [
        Spoiler(f"Dead rows, {rows}, cannot go while {holder.who} may need them.", holder.remedy)
        for holder in holders
    ]
    if not holders:
        unclean = set(connection.scalars(_UNCLEANED))
        off = next((table.table for table in dead if table.table in unclean), None)
        if connection.scalar(sa.text("show autovacuum")) == "off":
            found.append(Spoiler(f"Dead rows stay, {rows}: autovacuum is off.", "Set autovacuum = on."))
        elif off is not None:
            found.append(
                Spoiler(
                    f"Dead rows stay, {rows}: autovacuum is off for {off}.",
                    f"Run: alter table recsys.{off} reset (autovacuum_enabled); vacuum recsys.{off};",
                )
            )
        else:
            found.append(
                Spoiler(f"Dead rows wait for autovacuum: {rows}.", f"Run: vacuum recsys.{dead[0].table};")
            )
    return found
