"""Asks the SQL function for the lists that are evaluated."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.evaluation.targets import Question
from recsys_pg.types import Method, Progress, unheard

METHODS: tuple[Method, ...] = get_args(Method)

_RECOMMEND = sa.text(
    "select item_id from recsys_api.recommend_for_user(:user_id, n => :n, method => :method,"
    " exclude_seen => :exclude_seen) order by rank"
)


@dataclass(frozen=True)
class Answers:
    """The list of each user, best first, and the mean time of a call, the way to the server included."""

    lists: Mapping[int, Sequence[int]]
    milliseconds: float


@dataclass(frozen=True)
class Heard:
    """What was asked and answered.

    Attributes:
        question: who was asked, and what there was to be found.
        answers: of each method.
        of_user: interactions that were known of each of them when asked; None is as at the split.
    """

    question: Question
    answers: Mapping[Method, Answers]
    of_user: Mapping[int, int] | None = None


def ask_all(
    engine: sa.Engine,
    question: Question,
    methods: Iterable[Method],
    n: int,
    *,
    exclude_seen: bool = True,
    progress: Progress = unheard,
) -> Heard:
    """Ask a question of every method, one after the other; see `ask`."""
    answers = {
        method: ask(engine, question.targets, method, n, exclude_seen=exclude_seen, progress=progress)
        for method in methods
    }
    return Heard(question, answers)


def ask(
    engine: sa.Engine,
    users: Iterable[int],
    method: Method,
    n: int,
    *,
    exclude_seen: bool = True,
    progress: Progress = unheard,
) -> Answers:
    """The lists of ``recsys_api.recommend_for_user``, one user after the other over one connection.

    Args:
        engine: of the database that is asked.
        users: ids of users in it.
        method: a name that recommend_for_user takes.
        n: length of the lists, 1 to 1,000.
        exclude_seen: leave out what the user has consumed.
        progress: called with "recommend by <method>".

    Raises:
        InvalidArgumentError: the method is unknown, or n out of its range.
        UnknownUserError: a user is not in the database.
    """
    asked = list(users)
    lists = {}
    with translated_errors(), engine.connect() as connection:
        started = time.perf_counter()
        for done, user in enumerate(asked, start=1):
            lists[user] = recommended(connection, user, method, n, exclude_seen=exclude_seen)
            progress(f"recommend by {method}", done, len(asked))
        seconds = time.perf_counter() - started
    return Answers(lists, 1000 * seconds / max(1, len(asked)))


def recommended(
    connection: sa.Connection, user: int, method: Method, n: int, *, exclude_seen: bool
) -> tuple[int, ...]:
    """One list, best first; see `ask`."""
    parameters = {"user_id": user, "n": n, "method": method, "exclude_seen": exclude_seen}
    return tuple(connection.scalars(_RECOMMEND, parameters))
