"""Runs the methods of recommend_for_user on the server and compares their lists with what people did next."""

import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from statistics import fmean
from typing import get_args

import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation.metrics import ndcg, recall
from recsys_pg.types import Method, Progress

METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class MethodResult:
    """One row of the comparison: means over the users.

    milliseconds is the mean time of one call, the way to the server and back included.
    """

    method: Method
    users: int
    ndcg: float
    recall: float
    milliseconds: float


def evaluate_methods(
    engine: sa.Engine,
    test: Mapping[int, Set[int]],
    methods: Iterable[Method] = METHODS,
    *,
    k_ndcg: int = 10,
    k_recall: int = 20,
    progress: Progress | None = None,
) -> list[MethodResult]:
    """What each method of ``recsys_api.recommend_for_user`` is worth on this database, one row a method.

    The database must hold the training part only: what users have consumed is not recommended again. Every
    user is asked once a method, over one connection, for the longer of the two lists.

    Args:
        test: for each user id, the ids of the items that the user liked later; users without any are left
        out. methods: names that recommend_for_user takes. k_ndcg: length of the list that NDCG is measured
        on. k_recall: length of the list that recall is measured on. progress: called with the phase "evaluate
        <method>".

    Raises:
        InvalidArgumentError: no user has a test item, or a method is unknown.
        UnknownUserError: a user of the test is not in the database.
    """
    relevant = {user: items for user, items in test.items() if items}
    if not relevant:
        raise InvalidArgumentError("No user has a test item.", "Pass what users liked after training.")
    statement = sa.text(
        "select item_id from recsys_api.recommend_for_user(:user_id, n => :n, method => :method)"
        " order by rank"
    )
    n = max(k_ndcg, k_recall)
    results = []
    with translated_errors(), engine.connect() as connection:
        for method in methods:
            lists = {}
            started = time.perf_counter()
            for done, user in enumerate(relevant, start=1):
                parameters = {"user_id": user, "n": n, "method": method}
                lists[user] = list(connection.scalars(statement, parameters))
                if progress:
                    progress(f"evaluate {method}", done, len(relevant))
            seconds = time.perf_counter() - started
            results.append(
                MethodResult(
                    method,
                    len(relevant),
                    fmean(ndcg(lists[user], items, k_ndcg) for user, items in relevant.items()),
                    fmean(recall(lists[user], items, k_recall) for user, items in relevant.items()),
                    1000 * seconds / len(relevant),
                )
            )
    return results
