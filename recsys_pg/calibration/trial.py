"""Searches made from the catalogue, and running them under settings that nobody else sees."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import psycopg
import sqlalchemy as sa

from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import DatabaseError

N = 10
"""Length of the lists that are searched for."""

ALL = 10**9
"""A limit that no catalogue reaches."""

WORTH = 0.05
"""A setting that already does is changed only if that saves this share of the time."""
WORTH_MILLISECONDS = 0.5
"""A smaller value, of less recall, has to save this much as well."""

_LOCK_KEY = 0x63616C69  # "cali": one calibration at a time on a database
_Connection: TypeAlias = psycopg.Connection[Any]


@dataclass(frozen=True)
class SearchSettings:
    """The rows of recsys.settings that vector search reads; the key of each is ``search.`` and its name."""

    ef_search: int
    exact_limit: int
    scan_limit: int
    rerank: int


@dataclass(frozen=True)
class Search:
    """A search and the truth about it, its query and filter as PostgreSQL writes them.

    Attributes:
        rows_passing: embedded items that pass the filter.
        distance: of the farthest item that belongs into the answer; None when nothing passes.
    """

    query: str
    filter: str
    rows_passing: int
    distance: float | None


@dataclass(frozen=True)
class Outcome:
    """What became of a search: the strategy that gave the answer, its recall, and the time in the server."""

    strategy: str
    recall: float
    milliseconds: float


@contextmanager
def trial(engine: sa.Engine) -> Iterator["Trial"]:
    """A transaction to try settings in. It is rolled back, however the block ends.

    Raises:
        DatabaseError: another process calibrates.
    """
    with (
        translated_errors(),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        connection.begin() as transaction,
    ):
        driver = driver_connection(connection)
        (alone,) = driver.execute("select pg_try_advisory_xact_lock(%s)", (_LOCK_KEY,)).fetchone() or (False,)
        if not alone:
            raise DatabaseError("Another process calibrates this database.", "Try again when it has ended.")
        yield Trial(driver)
        transaction.rollback()


class Trial:
    """Runs searches in one transaction, which sees the same items all the time."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.settings = self._read()
        """Those that hold outside."""

    def count_items(self) -> int:
        """How many items have an embedding."""
        statement = "select count(*) from recsys.items where embedding is not null"
        (items,) = self._connection.execute(statement).fetchone() or (0,)
        return int(items)

    def searches(self, shares: Sequence[float]) -> Iterator[Search]:
        """A search for each share of the items that is to pass; its truth comes from an exact scan."""
        made = self._connection.execute(
            "select s.query::text, s.filter::text from recsys_api._recall_searches(%s) s", (list(shares),)
        ).fetchall()
        for query, filter_text in made:
            truth = self._connection.execute(
                "select rows_passing, distance from recsys_api._exact_answer(%s, %s, %s)",
                (query, N, filter_text),
            ).fetchone() or (0, None)
            yield Search(query, filter_text, *truth)

    def run(self, searches: Sequence[Search], settings: SearchSettings) -> list[Outcome]:
        """The outcomes of the searches under these settings, in order."""
        self._set(settings)
        outcomes = []
        for search in searches:
            row = self._connection.execute(
                "select strategy, recall, milliseconds from recsys_api._judge_search(%s, %s, %s, %s, %s)",
                (search.query, N, search.filter, search.rows_passing, search.distance),
            ).fetchone()
            outcomes.append(Outcome(*row or ("", 0, 0)))
        return outcomes

    def _read(self) -> SearchSettings:
        row = self._connection.execute(
            "select recsys_api._setting('search.ef_search')::integer,"
            " recsys_api._setting('search.exact_limit')::integer,"
            " recsys_api._setting('search.scan_limit')::integer,"
            " recsys_api._setting('search.rerank')::integer"
        ).fetchone()
        return SearchSettings(*row or (0, 0, 0, 0))

    def _set(self, settings: SearchSettings) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "update recsys.settings set value = to_jsonb(%s::integer) where key = 'search.' || %s",
                [(value, name) for name, value in asdict(settings).items()],
            )
