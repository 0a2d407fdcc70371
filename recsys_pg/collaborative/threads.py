"""Work that NumPy and SciPy do outside of Python's lock, by several threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_info, threadpool_limits

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def n_threads() -> int:
    """As many as the linear algebra may take: of processors, or what OMP_NUM_THREADS and its like say."""
    return max((pool["num_threads"] for pool in threadpool_info()), default=1)


def in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int | None = None
) -> Iterator[_Result]:
    """function(item) of each, in their order. Meanwhile the linear algebra takes one thread a call.

    Several threads a call would mostly wait for each other where matrices are small. threads is how many
    calls run at a time; None is `n_threads`.
    """
    threads = threads or n_threads()
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, items)
