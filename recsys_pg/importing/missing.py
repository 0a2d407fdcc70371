"""Items that a feed does not have any more: out of stock, never deleted."""

from typing import Any

import psycopg

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing.entities import Staged

_COUNT = """
select count(*), count(*) filter (where i.in_stock and s.id is null)
from recsys.items i left join import_items s on s.id = i.id
"""

_IDS = """
select i.id from recsys.items i
where i.in_stock and i.id > %s
    and not exists (select from import_items s where s.id = i.id)
    and not exists (select from import_items s where s.external_id = i.external_id)
order by i.id limit %s
"""

_DEACTIVATE = "update recsys.items set in_stock = false where id = any (%s) and in_stock"

_CHUNK = 10_000


def check_missing(connection: psycopg.Connection[Any], staged: Staged | None, share: float) -> None:
    """Refuse to deactivate more than a share of the items, before anything is written.

    Raises:
        InvalidArgumentError: the staged items lack more; or there are none; or the share is none.
    """
    if staged is None:
        raise InvalidArgumentError(
            "There is no file of items, so no item can be missing in it.", "Import the whole catalogue."
        )
    if not 0 <= share <= 1:
        raise InvalidArgumentError(f"deactivate_missing is {share}.", "Pass a share from 0 to 1.")
    items, missing = connection.execute(_COUNT).fetchone() or (0, 0)
    if missing > share * items:
        raise InvalidArgumentError(
            f"{missing:,} of {items:,} items would become out of stock, as the file lacks them: more than"
            f" {share:.0%}.",
            "Check whether the file is whole; if so, allow more (--missing-limit).",
        )


def deactivate(connection: psycopg.Connection[Any]) -> int:
    """Take the items out of stock that were not staged, some thousand a transaction; returns how many."""
    last, count = -(2**63), 0
    while ids := [id_ for (id_,) in connection.execute(_IDS, (last, _CHUNK))]:
        count += connection.execute(_DEACTIVATE, (ids,)).rowcount
        last = ids[-1]
    return count
