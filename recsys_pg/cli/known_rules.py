"""The rules of the database, and whether this role can apply them."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.errors import RecsysError

_TRIED = sa.text(
    "select recsys_api._try_rule(r.name, r.canonical, r.relation) from recsys_api._rule(:name) r"
)


@dataclass(frozen=True)
class Rule:
    """A rule; problem says why this role cannot apply it, remedy what to do; both are None when it can."""

    name: str
    predicate: str
    problem: str | None
    remedy: str | None


def read_rules(connection: sa.Connection) -> Iterator[Rule]:
    """The rules by name, through a connection in autocommit mode."""
    with translated_errors():
        statement = sa.text("select name, predicate from recsys.filter_rules order by name")
        for name, predicate in connection.execute(statement).all():
            error = _error(connection, name)
            yield Rule(name, predicate, error.message if error else None, error.hint if error else None)


def _error(connection: sa.Connection, name: str) -> RecsysError | None:
    try:
        with translated_errors():
            connection.execute(_TRIED, {"name": name})
    except RecsysError as error:
        return error
    return None
