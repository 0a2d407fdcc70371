"""From the interaction matrix to an item graph: which algorithm, and with what strength."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import LEAST_USERS, ndcg_of_users, users_at_once
from recsys_pg.collaborative.graph import scaled, strongest
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.operators.cosine import cosine
from recsys_pg.collaborative.operators.ease import ease
from recsys_pg.collaborative.operators.ease import memory_gb as ease_memory_gb
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import Progress

Algorithm: TypeAlias = Literal["auto", "ease", "cosine"]
"""How the item graph is learned; auto is the better one by held-out likes of those that fit."""

EASE_ITEMS = 20_000
"""Items with interactions up to which auto tries EASE, whose time grows with their cube."""

EASE_REG = 1.5
COSINE_REG = 20.0


@dataclass(frozen=True)
class ItemGraph:
    """What was learned, by which algorithm, with which regularization, and why by that.

    edges is (n_items, n_items); row i is what having liked item i adds to the scores of the others. ndcg is
    the NDCG@20 on held-out likes of each algorithm that was tried.
    """

    edges: csr_array[np.float32]
    algorithm: str
    reg: float
    reason: str
    ndcg: Mapping[str, float] = field(default_factory=dict)


def what_is_missing(weights: csr_array[np.float32]) -> str:
    """Why no item graph can be learned from (n_users, n_items) likes; empty when one can."""
    lengths = np.diff(weights.indptr)
    return missing(*weights.shape, int(lengths.max()) if len(lengths) else 0)


def missing(users: int, items: int, longest: int) -> str:
    """`what_is_missing`, of so many users and items, where no user likes more than so many items."""
    if not users:
        return "No item graph: no interaction says that somebody likes an item."
    if users < 2 or items < 2:
        people, things = ("user" if users < 2 else "users"), ("item" if items < 2 else "items")
        return f"No item graph: only {users:,} {people} and {items:,} {things} are in positive interactions."
    if longest < 2:
        return "No item graph: no user likes two items, so that nothing connects them."
    return ""


def learn(
    weights: csr_array[np.float32],
    *,
    algorithm: Algorithm,
    neighbors: int,
    reg: float | None,
    memory_gb: float,
    seed: int,
    progress: Progress,
    holdout: Holdout | None = None,
) -> ItemGraph:
    """The item graph, cut to the strongest neighbors of each item and scaled; arguments as in `train`.

    To be called when nothing is missing. With auto, the algorithm is the one of the higher mean NDCG@20 on
    what was held out; EASE where fewer than 50 users were asked, as few prove nothing.

    Raises:
        InvalidArgumentError: EASE was asked for and does not fit into memory_gb, or reg is too small for it.
    """
    chosen, reason = choose_by_size(algorithm, weights.shape[1], memory_gb)
    progress("learn item graph", 0, None)
    learned = partial(_edges, neighbors=neighbors, reg=reg, seed=seed, progress=progress)
    ndcg: dict[str, float] = {}
    if algorithm == "auto" and chosen == "ease" and holdout is not None:
        asked = np.flatnonzero(np.diff(holdout.targets.indptr))
        if len(asked) >= LEAST_USERS:
            for name in ("ease", "cosine"):
                edges, _ = learned(name, holdout.learned.likes)
                ndcg[name] = float(_ndcg(edges, holdout, asked).mean())
            chosen = "cosine" if ndcg["cosine"] > ndcg["ease"] else "ease"
            reason = _reason(chosen, ndcg, len(asked))
    edges, strength = learned(chosen, weights)
    scale_to = weights.astype(np.float64)
    return ItemGraph(scaled(edges, scale_to, seed=seed), chosen, strength, reason, ndcg)


def choose_by_size(algorithm: Algorithm, items: int, memory_gb: float) -> tuple[str, str]:
    """The algorithm by the size of the catalogue alone, and why; with auto, EASE means that both fit.

    Raises:
        InvalidArgumentError: EASE was asked for and does not fit into memory_gb.
    """
    needed = ease_memory_gb(items)
    need = f"EASE needs {needed:.3g} GB for {items:,} items with interactions"
    if algorithm == "cosine":
        return "cosine", "The cosine was asked for."
    if algorithm == "ease":
        if needed > memory_gb:
            raise InvalidArgumentError(
                f"{need}, and {memory_gb:.3g} of memory_gb are left for it.",
                "Raise memory_gb, or pass algorithm cosine.",
            )
        return "ease", "EASE was asked for."
    if needed > memory_gb:
        return "cosine", f"Cosine, because {need}, and {memory_gb:.3g} of memory_gb are left for it."
    if items > EASE_ITEMS:
        return "cosine", f"Cosine, because {items:,} items with interactions are more than {EASE_ITEMS:,}."
    return "ease", "EASE, because it fits, and too few held-out likes tell whether the cosine is better."


def _reason(chosen: str, ndcg: Mapping[str, float], users: int) -> str:
    names = {"ease": "EASE", "cosine": "the cosine"}
    [other] = set(names) - {chosen}
    return (
        f"The item graph is {names[chosen]}: NDCG@20 {ndcg[chosen]:.4f} on what was held out of {users:,}"
        f" users, {names[other]} {ndcg[other]:.4f}."
    )


def _edges(
    algorithm: str,
    likes: csr_array[np.float32],
    *,
    neighbors: int,
    reg: float | None,
    seed: int,
    progress: Progress,
) -> tuple[csr_array[np.float32], float]:
    weights = likes.astype(np.float64)
    if algorithm == "ease":
        strength = EASE_REG if reg is None else reg
        return strongest(ease(weights, strength), neighbors), strength
    strength = COSINE_REG if reg is None else reg
    return cosine(weights, strength, neighbors, seed=seed, progress=progress), strength


def _ndcg(
    edges: csr_array[np.float32], holdout: Holdout, asked: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    found = []
    batch = users_at_once(edges.shape[0])
    for start in range(0, len(asked), batch):
        users = asked[start : start + batch]
        scores = (holdout.histories.of(users).decayed(1.0) @ edges).toarray()
        found.append(ndcg_of_users(scores, holdout.seen[users], holdout.targets[users]))
    return np.concatenate(found)
