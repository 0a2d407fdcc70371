"""What `recommend_for_user` would return if it scored all items: the active model, computed in numpy."""

from collections.abc import Callable, Sequence

import numpy as np
import sqlalchemy as sa

from recsys_pg.collaborative.active import find_active, read_active
from recsys_pg.collaborative.histories import histories_at
from recsys_pg.collaborative.log import read_interactions
from recsys_pg.db import driver_connection

BATCH = 250


def exact_lists(
    engine: sa.Engine, users: Sequence[int], k: int, progress: Callable[[str, int, int | None], None]
) -> dict[int, list[int]]:
    """Ids of the k items of highest score, by user id; what a user had interactions with is left out."""
    with engine.connect() as connection, connection.begin():
        log = read_interactions(connection)
        driver = driver_connection(connection)
        active = find_active(driver)
        assert active is not None, "no model with item factors is active"
        everything = np.arange(len(log.item_ids))
        factors = read_active(driver, active, log.item_ids, everything, lambda *_: None)
    last = np.flatnonzero(np.diff(log.users, append=-1))
    rows = np.searchsorted(log.user_ids, np.asarray(users))
    seen = log.likes
    found: dict[int, list[int]] = {}
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        scores = factors.scores(histories_at(log, last[part]))
        known = seen[part].tocoo()
        scores[known.row, known.col] = -np.inf
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        for user, items, of_items in zip(part, best, np.take_along_axis(scores, best, axis=1), strict=True):
            order = np.lexsort((items, -of_items))
            found[int(log.user_ids[user])] = log.item_ids[items[order]].tolist()
        progress("score all items", start + len(part), len(rows))
    return found
