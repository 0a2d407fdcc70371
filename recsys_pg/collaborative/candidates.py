"""Which operators are tried on a catalogue: all that fit its size and the memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_pg.collaborative.factors import MOST_NEIGHBORS
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.memory import (
    base_gb,
    compared_gb,
    factors_gb,
    least_gb,
    least_served_gb,
    mapped_fitting,
    residuals_fitting,
)
from recsys_pg.collaborative.mixture import BYTES_COMPARED
from recsys_pg.collaborative.operators.content import content
from recsys_pg.collaborative.operators.cooccurrence import cooccurrence
from recsys_pg.collaborative.operators.ease import ease
from recsys_pg.collaborative.operators.ials import DIMENSIONS as IALS_DIMENSIONS
from recsys_pg.collaborative.operators.ials import ials
from recsys_pg.collaborative.operators.lowpass import DIMENSIONS as LOWPASS_DIMENSIONS
from recsys_pg.collaborative.operators.lowpass import lowpass
from recsys_pg.collaborative.operators.next_item import next_item_ridge, transitions
from recsys_pg.collaborative.operators.operator import Floats, Halves, Operator
from recsys_pg.collaborative.operators.repeat import repeat
from recsys_pg.collaborative.size import Size
from recsys_pg.types import Progress

DENSE_ITEMS = 20_000
"""Items up to which a matrix of all with all is inverted, whose time grows with their cube."""

FACTORIZED_ROWS = 500_000
"""Users and items together up to which alternating least squares are tried."""

NEIGHBORS = 200
"""Entries a row that a sparse operator keeps."""


@dataclass(frozen=True)
class Material:
    """What operators are learned from; embeddings is (n_items, dimensions), NaN in rows without, or None."""

    log: InteractionLog
    embeddings: Floats | Halves | None
    seed: int
    progress: Progress


@dataclass(frozen=True)
class Memory:
    """Bytes a pair of items, an item, a user and a like."""

    pair: float = 0
    item: float = 0
    user: float = 0
    like: float = 0

    def gb(self, size: Size) -> float:
        """For what is learned from, in GB of 10⁹ bytes."""
        return 1e-9 * (
            self.pair * size.items**2
            + self.item * size.items
            + self.user * size.users
            + self.like * size.likes
        )


@dataclass(frozen=True)
class Candidate:
    """A way to learn an operator.

    kept is the memory of the operator, working what learning it takes besides. misfit says of some size
    why the operator is not tried on it, or nothing.
    """

    name: str
    learn: Callable[[Material], Operator]
    kept: Memory
    working: Memory
    misfit: Callable[[Size], str] | None = None


def _unordered(size: Size) -> str:
    return "" if size.is_ordered else "the times do not tell what came after what"


def _many_items(size: Size) -> str:
    return f"{size.items:,} items are more than {DENSE_ITEMS:,}" if size.items > DENSE_ITEMS else ""


def _many_rows(size: Size) -> str:
    rows = size.items + size.users
    return f"{rows:,} users and items are more than {FACTORIZED_ROWS:,}" if rows > FACTORIZED_ROWS else ""


def _next_item(decay: float) -> Candidate:
    return Candidate(
        f"next_item_{decay:g}",
        lambda m: next_item_ridge(m.log.sequences, len(m.log.item_ids), decay=decay),
        Memory(pair=4),
        Memory(pair=12),
        lambda size: _unordered(size) or _many_items(size),
    )


CANDIDATES: Sequence[Candidate] = (
    Candidate(
        "cooccurrence",
        lambda m: cooccurrence(m.log.likes, neighbors=NEIGHBORS, progress=m.progress),
        Memory(item=8 * NEIGHBORS),
        Memory(item=8 * NEIGHBORS, like=40),
    ),
    Candidate(
        "lowpass",
        lambda m: lowpass(m.log.likes, seed=m.seed, progress=m.progress),
        Memory(item=4 * LOWPASS_DIMENSIONS + 4),
        Memory(item=6 * LOWPASS_DIMENSIONS, user=6 * LOWPASS_DIMENSIONS, like=20),
    ),
    Candidate(
        "ease",
        lambda m: Operator(graph=ease(m.log.likes.astype(np.float64), 1.0)),
        Memory(pair=4),
        Memory(pair=8, like=12),
        _many_items,
    ),
    Candidate(
        "ials",
        lambda m: ials(m.log.likes, seed=m.seed, progress=m.progress),
        Memory(item=8 * IALS_DIMENSIONS),
        Memory(item=12 * IALS_DIMENSIONS, user=12 * IALS_DIMENSIONS, like=12),
        _many_rows,
    ),
    _next_item(0.9),
    _next_item(0.8),
    _next_item(0.6),
    Candidate(
        "transitions",
        lambda m: transitions(m.log.sequences, len(m.log.item_ids), neighbors=NEIGHBORS, progress=m.progress),
        Memory(item=8 * NEIGHBORS),
        Memory(item=8 * NEIGHBORS, like=40),
        lambda size: _unordered(size) or ("" if _many_items(size) else "next_item fits"),
    ),
    Candidate(
        "content",
        lambda m: content(m.embeddings) if m.embeddings is not None else Operator(),
        Memory(item=4 * 384),
        Memory(),
        lambda size: "" if size.embedded else "no item is embedded",
    ),
)

REPEAT = Candidate("repeat", lambda m: repeat(len(m.log.item_ids)), Memory(item=12), Memory())
"""Not for the choice of what is new to somebody; see recsys_pg.collaborative.repeats."""


@dataclass(frozen=True)
class Selection:
    """Which candidates are learned.

    left_out says of each of the others why. kept_gb is what the operators take together, peak_gb the most
    that is taken at any moment, neighbors how many entries a row of the residuals may have, mapped from how
    many items the content map is learned.
    """

    chosen: Sequence[Candidate]
    left_out: Mapping[str, str]
    kept_gb: float
    peak_gb: float
    neighbors: int
    mapped: int


def fitting(size: Size, memory_gb: float, *, neighbors: int = 100) -> Selection:
    """The candidates to learn, so that all of training stays within memory_gb.

    Those that come first in `CANDIDATES` get the memory first: all operators are kept until they were
    compared, and those of the sum until it is cut down to factors; what learning one takes is given back.

    Args:
        size: of what is learned from.
        memory_gb: what training may take, in GB.
        neighbors: of the item graph that is learned besides.
    """
    chosen: list[Candidate] = []
    left_out: dict[str, str] = {}
    base, afterwards = base_gb(size), factors_gb(size)
    kept, peak = 0.0, least_gb(size, neighbors)
    for candidate in CANDIDATES:
        reason = candidate.misfit(size) if candidate.misfit else ""
        own = candidate.kept.gb(size)
        scored = 1e-9 * BYTES_COMPARED * (len(chosen) + 1) * size.items
        most = max(candidate.working.gb(size), afterwards, min(compared_gb(memory_gb), scored))
        needed = base + max(kept + own + most, least_served_gb(size))
        if not reason and needed > memory_gb:
            reason = f"it would take {needed:.3g} GB, and memory_gb is {memory_gb:g}"
        if reason:
            left_out[candidate.name] = reason
        else:
            chosen.append(candidate)
            kept += own
            peak = max(peak, needed)
    residuals = residuals_fitting(size, memory_gb - base, kept)
    mapped = mapped_fitting(size, memory_gb - base, min(residuals, MOST_NEIGHBORS))
    return Selection(chosen, left_out, kept, peak, residuals, mapped)
