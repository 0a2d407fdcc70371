"""What the search benchmark needs of an engine, and the columns of its table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search_data import Condition, Floats

Setting = Mapping[str, str | int]
"""Parameters of a search, by the engine's own names."""

Search = tuple[Floats, Condition]
"""A query vector of 384 numbers, and what its results must meet."""


@dataclass(frozen=True)
class Built:
    """What building took: seconds of loading and of indexing, bytes of the indexes for search and of all."""

    load_seconds: float
    index_seconds: float
    index_bytes: int
    total_bytes: int
    note: str = ""


class Engine(Protocol):
    """A search engine that holds the catalogue under a folder or in a server, from one run to the next."""

    storage: str
    """What it searches: engines with the same storage share what the first of them builds."""

    @property
    def stands_on(self) -> Sequence["Engine"]:
        """Engines that must be built before."""

    def build(self) -> Built:
        """Load the catalogue and build the indexes, once."""

    def open(self) -> None:
        """Get ready to search what was built."""

    def close(self) -> None:
        """Let go of what is open."""

    def configure(self, setting: Setting) -> None:
        """Search with these parameters from now on; those left out have the engine's defaults."""

    def search(self, vector: Floats, condition: Condition) -> list[int]:
        """Ids of the ten nearest items that meet the condition, as the engine finds them."""

    def version(self) -> str:
        """Name and version."""


@dataclass(frozen=True)
class Column:
    """One column of the table: an engine and what to search with.

    Of several settings, the first that reaches the wanted recall is taken, or else the one with the best.
    """

    name: str
    engine: Engine
    settings: Sequence[Setting] = ({},)
    unfiltered_only: bool = False


def folder_bytes(folder: Path) -> int:
    """Size of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
