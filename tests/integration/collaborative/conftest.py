"""A shop with people whose tastes are known, written as SQL."""

from collections.abc import Iterable

import numpy as np
import pytest
import sqlalchemy as sa


class Shop:
    """The tables of a test's database."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def sql(self, statement: str, **parameters):
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return result.all() if result.returns_rows else []

    def add(self, users: int, items: int) -> None:
        """Users 1 … and items 1 …, on top of which the database goes on counting."""
        self.sql("insert into recsys.users (id) select generate_series(1, :users)", users=users)
        self.sql(
            "insert into recsys.items (id, title)"
            " select id, 'item ' || id from generate_series(1, :items) id",
            items=items,
        )

    def record(self, interactions: Iterable[tuple[int, int, str, float | None]]) -> None:
        """Interactions as (user, item, kind, value), a second apart."""
        rows = [
            {"user": user, "item": item, "kind": kind, "value": value, "age": age}
            for age, (user, item, kind, value) in enumerate(interactions)
        ]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(
                    sa.text(
                        "insert into recsys.interactions (user_id, item_id, kind, value, occurred_at)"
                        " values (:user, :item, :kind, :value,"
                        " timestamptz '2026-01-01' + make_interval(secs => :age))"
                    ),
                    rows,
                )

    def fill(self, *, users: int = 60, items: int = 20, likes_each: int = 5) -> None:
        """Two groups of people, each of whom likes some of one half of the items."""
        self.add(users, items)
        random = np.random.default_rng(0)
        likes = []
        for user in range(1, users + 1):
            half = range(1, items // 2 + 1) if user % 2 else range(items // 2 + 1, items + 1)
            likes += [(user, int(item), "like", None) for item in random.permutation(half)[:likes_each]]
        self.record(likes)

    def models(self) -> dict[int, bool]:
        """Whether it is active, of each trained model."""
        rows = self.sql("select id, is_active from recsys.models where purpose = 'collaborative' order by id")
        return {row.id: row.is_active for row in rows}

    def graph(self, model_id: int) -> dict[int, list[tuple[int, float]]]:
        rows = self.sql(
            "select item_id, neighbor_ids, weights from recsys.item_neighbors where model_id = :model_id",
            model_id=model_id,
        )
        return {row.item_id: list(zip(row.neighbor_ids, row.weights, strict=True)) for row in rows}

    def recommend(self, user_id: int, n: int = 10) -> list:
        return self.sql(
            "select item_id, score"
            " from recsys_api.recommend_for_user(:user_id, n => :n, method => 'item_based') order by rank",
            user_id=user_id,
            n=n,
        )


@pytest.fixture
def shop(engine: sa.Engine) -> Shop:
    return Shop(engine)
