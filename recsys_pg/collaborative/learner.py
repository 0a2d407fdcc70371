"""From the interaction matrix to an item graph: which algorithm, and with what strength."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from recsys_pg.collaborative.graph import scaled, strongest
from recsys_pg.collaborative.operators.cosine import cosine
from recsys_pg.collaborative.operators.ease import ease
from recsys_pg.collaborative.operators.ease import memory_gb as ease_memory_gb
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import Progress

Algorithm: TypeAlias = Literal["auto", "ease", "cosine"]
"""How the item graph is learned; auto is EASE where it fits, the cosine elsewhere."""

EASE_ITEMS = 20_000
"""Items with interactions up to which auto takes EASE, whose time grows with their cube."""

EASE_REG = 1.5
COSINE_REG = 20.0


@dataclass(frozen=True)
class ItemGraph:
    """What was learned, by which algorithm, with which regularization, and why by that.

    edges is (n_items, n_items); row i is what having liked item i adds to the scores of the others.
    """

    edges: csr_array[np.float32]
    algorithm: str
    reg: float
    reason: str


def what_is_missing(weights: csr_array[np.float32]) -> str:
    """Why no item graph can be learned from (n_users, n_items) likes; empty when one can."""
    users, items = weights.shape
    if not users:
        return "No item graph: no interaction says that somebody likes an item."
    if users < 2 or items < 2:
        people, things = ("user" if users < 2 else "users"), ("item" if items < 2 else "items")
        return f"No item graph: only {users:,} {people} and {items:,} {things} are in positive interactions."
    if np.diff(weights.indptr).max() < 2:
        return "No item graph: no user likes two items, so that nothing connects them."
    return ""


def learn(
    weights: csr_array[np.float64],
    *,
    algorithm: Algorithm,
    neighbors: int,
    reg: float | None,
    memory_gb: float,
    seed: int,
    progress: Progress,
) -> ItemGraph:
    """The item graph, cut to the strongest neighbors of each item and scaled; arguments as in `train`.

    To be called when nothing is missing.

    Raises:
        InvalidArgumentError: EASE was asked for and does not fit into memory_gb, or reg is too small for it.
    """
    chosen, reason = _choose(algorithm, weights.shape[1], memory_gb)
    progress("learn item graph", 0, None)
    if chosen == "ease":
        strength = EASE_REG if reg is None else reg
        edges = strongest(ease(weights, strength), neighbors)
    else:
        strength = COSINE_REG if reg is None else reg
        edges = cosine(weights, strength, neighbors, seed=seed, progress=progress)
    return ItemGraph(scaled(edges, weights, seed=seed), chosen, strength, reason)


def _choose(algorithm: Algorithm, items: int, memory_gb: float) -> tuple[str, str]:
    needed = ease_memory_gb(items)
    need = f"EASE needs {needed:.3g} GB for {items:,} items with interactions"
    if algorithm == "cosine":
        return "cosine", "The cosine was asked for."
    if algorithm == "ease":
        if needed > memory_gb:
            raise InvalidArgumentError(
                f"{need}, memory_gb is {memory_gb:g}.", "Raise memory_gb, or pass algorithm cosine."
            )
        return "ease", "EASE was asked for."
    if needed > memory_gb:
        return "cosine", f"Cosine, because {need}, and memory_gb is {memory_gb:g}."
    if items > EASE_ITEMS:
        return "cosine", f"Cosine, because {items:,} items with interactions are more than {EASE_ITEMS:,}."
    return "ease", f"EASE, because {items:,} items with interactions need {needed:.3g} GB of {memory_gb:g}."
