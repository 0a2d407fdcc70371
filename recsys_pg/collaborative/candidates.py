"""Which operators are tried on a catalogue: all that fit its size and the memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.operators.content import content
from recsys_pg.collaborative.operators.cooccurrence import cooccurrence
from recsys_pg.collaborative.operators.ease import ease
from recsys_pg.collaborative.operators.ials import DIMENSIONS as IALS_DIMENSIONS
from recsys_pg.collaborative.operators.ials import ials
from recsys_pg.collaborative.operators.lowpass import DIMENSIONS as LOWPASS_DIMENSIONS
from recsys_pg.collaborative.operators.lowpass import lowpass
from recsys_pg.collaborative.operators.next_item import next_item_ridge, transitions
from recsys_pg.collaborative.operators.operator import Floats, Operator
from recsys_pg.collaborative.operators.repeat import repeat
from recsys_pg.types import Progress

DENSE_ITEMS = 20_000
"""Items up to which a matrix of all with all is inverted, whose time grows with their cube."""

FACTORIZED_ROWS = 200_000
"""Users and items together up to which they are factorized by alternating least squares."""

NEIGHBORS = 200
"""Entries a row that a sparse operator keeps."""


@dataclass(frozen=True)
class Material:
    """What operators are learned from; embeddings is (n_items, dimensions), NaN in rows without, or None."""

    log: InteractionLog
    embeddings: Floats | None
    seed: int
    progress: Progress

    @property
    def has_content(self) -> bool:
        """Whether any item is embedded."""
        return self.embeddings is not None and bool(np.isfinite(self.embeddings).all(axis=1).any())


@dataclass(frozen=True)
class Memory:
    """Bytes a pair of items, an item, a user and a like."""

    pair: float = 0
    item: float = 0
    user: float = 0
    like: float = 0

    def gb(self, log: InteractionLog) -> float:
        """For the given interactions, in GB of 10⁹ bytes."""
        users, items = log.likes.shape
        return 1e-9 * (
            self.pair * items**2 + self.item * items + self.user * users + self.like * log.likes.nnz
        )


@dataclass(frozen=True)
class Candidate:
    """A way to learn an operator.

    kept is the memory of the operator, working what learning it takes besides. misfit says of some material
    why the operator is not tried on it, or nothing.
    """

    name: str
    learn: Callable[[Material], Operator]
    kept: Memory
    working: Memory
    misfit: Callable[[Material], str] | None = None


def _unordered(material: Material) -> str:
    return "" if material.log.is_ordered else "the times do not tell what came after what"


def _many_items(material: Material) -> str:
    items = len(material.log.item_ids)
    return f"{items:,} items are more than {DENSE_ITEMS:,}" if items > DENSE_ITEMS else ""


def _many_rows(material: Material) -> str:
    rows = len(material.log.item_ids) + len(material.log.user_ids)
    return f"{rows:,} users and items are more than {FACTORIZED_ROWS:,}" if rows > FACTORIZED_ROWS else ""


def _next_item(decay: float) -> Candidate:
    return Candidate(
        f"next_item_{decay:g}",
        lambda m: next_item_ridge(m.log.sequences, len(m.log.item_ids), decay=decay),
        Memory(pair=4),
        Memory(pair=24),
        lambda m: _unordered(m) or _many_items(m),
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
        lambda m: lowpass(m.log.likes, seed=m.seed),
        Memory(item=8 * LOWPASS_DIMENSIONS),
        Memory(item=13 * LOWPASS_DIMENSIONS, user=13 * LOWPASS_DIMENSIONS, like=20),
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
        Memory(item=8 * IALS_DIMENSIONS, user=8 * IALS_DIMENSIONS, like=12),
        _many_rows,
    ),
    _next_item(0.9),
    _next_item(0.8),
    _next_item(0.6),
    Candidate(
        "transitions",
        lambda m: transitions(m.log.sequences, len(m.log.item_ids), neighbors=NEIGHBORS),
        Memory(item=8 * NEIGHBORS),
        Memory(like=250),
        lambda m: _unordered(m) or ("" if _many_items(m) else "next_item fits"),
    ),
    Candidate(
        "content",
        lambda m: content(m.embeddings) if m.embeddings is not None else Operator(),
        Memory(item=4 * 384),
        Memory(),
        lambda m: "" if m.has_content else "no item is embedded",
    ),
)

REPEAT = Candidate("repeat", lambda m: repeat(len(m.log.item_ids)), Memory(item=12), Memory())
"""Not for the choice of what is new to somebody; see recsys_pg.collaborative.repeats."""


def fitting(material: Material, memory_gb: float) -> tuple[list[Candidate], dict[str, str]]:
    """The candidates to learn, and why each of the others is left out.

    Those that come first in `CANDIDATES` get the memory first: all operators are kept until they were
    compared, and what learning one takes is given back.
    """
    chosen: list[Candidate] = []
    left_out: dict[str, str] = {}
    kept = 0.0
    for candidate in CANDIDATES:
        reason = candidate.misfit(material) if candidate.misfit else ""
        size = candidate.kept.gb(material.log)
        needed = kept + size + candidate.working.gb(material.log)
        if not reason and needed > memory_gb:
            reason = f"it would take {needed:.3g} GB, and memory_gb is {memory_gb:g}"
        if reason:
            left_out[candidate.name] = reason
        else:
            chosen.append(candidate)
            kept += size
    return chosen, left_out
