"""What training takes of the memory besides its operators, so that nothing of it is a surprise."""

import os
from pathlib import Path

from recsys_pg.collaborative.asked import MANY_ITEMS, entries_kept
from recsys_pg.collaborative.content_features import MOST_VALUES
from recsys_pg.collaborative.content_map import COMPARED_ITEMS, COMPARED_QUERIES
from recsys_pg.collaborative.histories import SAMPLE
from recsys_pg.collaborative.singular import OVERSAMPLING
from recsys_pg.collaborative.size import Size
from recsys_pg.config import DIMENSIONS
from recsys_pg.errors import InvalidArgumentError

GB = 1e9

_COMPARED_SHARE = 0.1
_MOST_COMPARED_GB = 4.0

FEWEST_RESIDUALS = 20
"""Neighbors of an item in the residual of each time scale that have to fit; more where there is room."""

_FILLED = 0.95
"""Of the memory, what more neighbors than the fewest may fill: the rest is for what is not foreseen."""

MAPPED_ITEMS, _FEWEST_MAPPED = 50_000, 5_000
"""Items from which the map from content to factors is learned, as many as there is room for."""

_TIME_SCALES = 3
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def default_memory_gb() -> float:
    """Half of the machine's memory, or of the container's where that is less.

    The other half is for PostgreSQL, which often runs on the same machine and builds the vector index of the
    model meanwhile. It is half of all and not of what is free, so that the same model is learned every night.
    """
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _CGROUP_LIMITS:
        try:
            limit = path.read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, float(limit))
    return round(total / 2 / GB, 1)


def base_gb(size: Size) -> float:
    """What is held all the time: the interactions, those without what is held out, and the embeddings.

    Up to 0.3 GB of it is of the blocks that products are computed in.
    """
    return (
        140 * size.interactions
        + 24 * size.likes
        + 60 * size.users
        + (2 * DIMENSIONS if size.embedded else 0) * size.items
        + 40 * size.items
    ) / GB + workspace_gb(size)


def workspace_gb(size: Size) -> float:
    """Of the blocks in which products of all items with all items are computed, five million entries each."""
    return min(5e6, float(size.items) ** 2, float(size.pairs)) * 64 / GB


def compared_gb(memory_gb: float) -> float:
    """Of the scores of operators that are compared at a time, at most."""
    return min(_MOST_COMPARED_GB, _COMPARED_SHARE * memory_gb)


def histories_gb(size: Size) -> float:
    """Of the sampled histories."""
    histories = min(SAMPLE, size.interactions)
    # drawn among interactions, so that who has many is drawn often
    length = min(200.0, size.pairs / max(1, size.likes))
    return histories * (length * 80 + 4 * 2 * (DIMENSIONS + OVERSAMPLING)) / GB


def factors_gb(size: Size, residuals: int = FEWEST_RESIDUALS) -> float:
    """Of finding the factors and keeping them until they are written.

    Args:
        size: of what is learned from.
        residuals: neighbors of an item in the residual of each time scale.
    """
    decomposed = size.items * 4 * (2 * (DIMENSIONS + OVERSAMPLING) + 4 * 64)
    decomposed += 8 * entries_kept(size.items) * min(SAMPLE, size.interactions)
    a_history = 2 if size.items > MANY_ITEMS else 4
    kept = size.items * (4 * DIMENSIONS + _TIME_SCALES * a_history * DIMENSIONS) + _residual_bytes(
        size, residuals
    )
    return max(decomposed, kept) / GB + histories_gb(size)


def writing_gb(size: Size, residuals: int = FEWEST_RESIDUALS) -> float:
    """Of the factors as they were found and as they are written, when no operator is left."""
    return factors_gb(size, residuals) + size.items * 2 * DIMENSIONS * (1 + _TIME_SCALES) / GB


def served_gb(size: Size, residuals: int) -> float:
    """Of the factors as they are written, which are kept while the content map and the graph are learned."""
    vectors = size.items * 2 * DIMENSIONS * (1 + _TIME_SCALES)
    return (vectors + _residual_bytes(size, residuals)) / GB


def map_gb(size: Size, items: int) -> float:
    """Of learning the map from content to factors from so many items."""
    content = (DIMENSIONS if size.embedded else 0) + min(MOST_VALUES, size.fields)
    if not content:
        return 0.0
    # the vectors, turned, and those of the items that are learned from; the targets, turned for each history
    an_item = 4 * DIMENSIONS * ((1 + _TIME_SCALES) * 3 + _TIME_SCALES) + 32 * min(DIMENSIONS, content) + 500
    needed: float = items * an_item + 40 * content**2 + 16 * content * DIMENSIONS * (1 + _TIME_SCALES)
    # the queries of the sampled histories, turned, and either in double precision or what they rank
    needed += 16 * DIMENSIONS * min(SAMPLE, size.interactions)
    needed += 30 * COMPARED_QUERIES * min(COMPARED_ITEMS, size.items)
    return needed / GB


def mapped_fitting(size: Size, memory_gb: float, residuals: int) -> int:
    """From how many items the map is learned, at most, with so much memory for it and for the factors."""
    free = memory_gb - served_gb(size, residuals) - map_gb(size, 0)
    an_item = map_gb(size, 1) - map_gb(size, 0)
    return MAPPED_ITEMS if not an_item else int(min(MAPPED_ITEMS, max(_FEWEST_MAPPED, free / an_item)))


def least_served_gb(size: Size) -> float:
    """Of the factors and what is learned beside them, if all of it is as small as it may be."""
    fewest = min(_FEWEST_MAPPED, size.items)
    return max(
        writing_gb(size), served_gb(size, FEWEST_RESIDUALS) + max(map_gb(size, fewest), graph_gb(size, 100))
    )


def _residual_bytes(size: Size, residuals: int) -> int:
    return _TIME_SCALES * 8 * min(residuals, size.items) * size.items


def residuals_fitting(size: Size, memory_gb: float, kept_gb: float) -> int:
    """How many neighbors an item may have in the residual of each time scale.

    Args:
        size: of what is learned from.
        memory_gb: what there is for the factors and the operators.
        kept_gb: what the operators take.
    """
    spared = _FILLED * memory_gb - max(factors_gb(size, 0) + kept_gb, writing_gb(size, 0))
    return max(FEWEST_RESIDUALS, int(spared * GB / (_TIME_SCALES * 8 * max(1, size.items))))


def least_gb(size: Size, neighbors: int) -> float:
    """What training takes at least: the base and the item graph of the cosine, without any operator."""
    return base_gb(size) + graph_gb(size, neighbors)


def graph_gb(size: Size, neighbors: int) -> float:
    """Of the item graph by the cosine, and the copies of the likes that it is computed from."""
    return (8 * min(neighbors, size.items) * size.items + 40 * size.likes) / GB


def graph_memory_gb(size: Size, memory_gb: float, residuals: int) -> float:
    """What is left for the matrices that EASE inverts, beside the factors if there are any."""
    return memory_gb - base_gb(size) - min(served_gb(size, min(residuals, 200)), memory_gb / 2)


def check_least(size: Size, neighbors: int, memory_gb: float) -> None:
    """Fail before any work where not even the least fits.

    Raises:
        InvalidArgumentError: memory_gb is less than that.
    """
    needed = least_gb(size, neighbors)
    if needed > memory_gb:
        raise InvalidArgumentError(
            f"memory_gb is {memory_gb:g}, and training on {size.interactions:,} interactions with"
            f" {size.items:,} items takes {needed:.2g} GB at least.",
            f"Pass memory_gb {needed * 1.05:.2g} or more, and {needed + writing_gb(size):.2g} for a hybrid.",
        )
