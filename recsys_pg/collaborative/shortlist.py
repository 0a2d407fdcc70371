"""The few items of each user that can come first, so that rankings are compared without looking at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.operators.operator import Floats

_CANDIDATES = 100
_CHUNK = 128

Marks = npt.NDArray[np.bool_]


def _best(scores: Floats) -> npt.NDArray[np.intp]:
    """The positions of the 100 largest scores, (n_items,); of equal ones that do not all fit, the first."""
    full = len(scores) // _CHUNK * _CHUNK
    largest = np.append(scores[:full].reshape(-1, _CHUNK).max(axis=1), scores[full:])
    # so many are at least as large, each in a chunk of its own
    bound = np.partition(largest, -_CANDIDATES)[-_CANDIDATES] if len(largest) > _CANDIDATES else np.nan
    if np.isnan(bound):
        return np.argsort(-scores, kind="stable")[:_CANDIDATES]
    above = np.flatnonzero(scores > bound)
    if len(above) >= _CANDIDATES:
        return above[np.argsort(-scores[above], kind="stable")[:_CANDIDATES]]
    return np.append(above, np.flatnonzero(scores == bound)[: _CANDIDATES - len(above)])


@dataclass(frozen=True)
class Shortlist:
    """What is wanted and the best by some rankings, (n_users, width) each: all that can be among the first.

    items are positions, ascending in each row, the last repeated; closed are these repetitions and what is
    not ranked; hits are what is wanted.
    """

    items: npt.NDArray[np.intp]
    closed: Marks
    hits: Marks

    @classmethod
    def of(
        cls,
        rankings: Sequence[Floats],
        wanted: Marks,
        *,
        seen: Marks | None = None,
        also: Marks | None = None,
    ) -> Self:
        """The best 100 by each ranking, with what is wanted.

        Args:
            rankings: scores, (n_users, n_items) each.
            wanted: (n_users, n_items).
            seen: (n_users, n_items) what is not ranked; None is nothing.
            also: (n_users, n_items) what is on the list whatever its scores; None is nothing else.
        """
        chosen = wanted.copy() if also is None else wanted | also
        unranked = [np.flatnonzero(row) for row in seen] if seen is not None else None
        for scores in rankings:
            for user, row in enumerate(scores):
                ranked = row.copy()
                if unranked:
                    ranked[unranked[user]] = -np.inf
                chosen[user, _best(ranked)] = True
        rows = [np.flatnonzero(row) for row in chosen]
        width = max(map(len, rows))
        items = np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in rows])
        closed = np.zeros(items.shape, dtype=bool)
        closed[:, 1:] = items[:, 1:] == items[:, :-1]
        if seen is not None:
            closed |= np.take_along_axis(seen, items, axis=1)
        return cls(items, closed, np.take_along_axis(wanted, items, axis=1) & ~closed)

    def part_of(self, scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Those of its items: (n_users, n_items) to (n_users, width)."""
        return np.take_along_axis(scores, self.items, axis=1)

    @cached_property
    def sparse(self) -> tuple[csr_array[np.float32], csr_array[np.float32]]:
        """closed and hits, as `ndcg_of_users` wants what was seen and the targets."""
        return csr_array(self.closed.astype(np.float32)), csr_array(self.hits.astype(np.float32))
