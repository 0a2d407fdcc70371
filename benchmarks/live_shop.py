"""People who read and write a shop at a steady rate, and what they see: times, errors, answers of two models.

Readers search by kept texts, ask for similar items and for recommendations; what they get is checked against
the vectors that the models give to the texts, so that an answer made of two models is told.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from live_catalogue import SUBJECTS, SubjectEmbedder

PROBES = 500
"""Items whose text nobody changes; they are what answers are checked by."""

BY_TEXT = """
select n.distance from recsys_api._nearest_items(recsys_api._query_embedding(%s), 1, null) n
"""
SIMILAR = """
select r.item_id, r.similarity
from recsys_api.similar_items(%s, 5, recsys_api.item_filter(categories => array['probe'])) r
"""
FOR_USER = "select item_id from recsys_api.recommend_for_user(%s, 10)"
FILTERED = """
select r.item_id from recsys_api.search_items((select i.embedding from recsys.items i where i.id = %s), 10,
    recsys_api.item_filter(categories => array['category 3'], in_stock => true)) r
"""
WRITES = {
    "price": (
        60,
        "update recsys.items set price = 1 + %(number)s %% 500, in_stock = not in_stock where id = %(id)s",
    ),
    "text": (20, "update recsys.items set description = 'about subject ' || %(subject)s where id = %(id)s"),
    "new": (
        8,
        "insert into recsys.items (title, description, category, price)"
        " values ('new ' || %(number)s, 'about subject ' || %(subject)s, 'category 3', 9)",
    ),
    "like": (12, "select recsys_api.record_interaction(%(user)s, %(id)s, 'like')"),
}


@dataclass
class Seen:
    """What readers and writers saw."""

    seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    mixed: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Counts, and the quantiles of the times in milliseconds."""
        times = 1000 * np.array(self.seconds or [0.0])
        return {
            "done": sum(self.counts.values()),
            "of which": dict(self.counts),
            "errors": dict(self.errors),
            "mixed": self.mixed[:5] if self.mixed else 0,
            "ms p50, p95, p99, most": [
                round(float(value), 1) for value in (*np.quantile(times, (0.5, 0.95, 0.99)), times.max())
            ],
        }


class Person(threading.Thread):
    """Does something so many times a second, until it is told to stop; a failure counts and stays one."""

    def __init__(self, url: str, rate: float, number: int) -> None:
        super().__init__(daemon=True)
        self._url, self._pause = url, 1 / rate
        self._random = random.Random(number)
        self.stop = threading.Event()
        self.seen = Seen()

    def run(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while not self.stop.is_set():
            started = time.perf_counter()
            try:
                connection = connection or psycopg.connect(self._url, autocommit=True)
                self.seen.counts[self.act(connection)] += 1
                self.seen.seconds.append(time.perf_counter() - started)
            except psycopg.Error as error:
                self.seen.errors[f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"] += 1
                if connection is None or connection.closed:
                    connection = None
                    self.stop.wait(0.2)
            self.stop.wait(max(0.0, self._pause - (time.perf_counter() - started)))

    def act(self, connection: psycopg.Connection[Any]) -> str:
        raise NotImplementedError


class Reader(Person):
    """Reads, and checks each answer; ``contents`` are the texts of the probes by their ids."""

    def __init__(
        self,
        url: str,
        rate: float,
        number: int,
        contents: dict[int, str],
        embedders: tuple[SubjectEmbedder, ...],
    ) -> None:
        super().__init__(url, rate, number)
        self._contents = contents
        self._ids = list(contents)
        self._vectors = [{id_: e.vector(content) for id_, content in contents.items()} for e in embedders]

    def act(self, connection: psycopg.Connection[Any]) -> str:
        probe = self._random.choice(self._ids)
        kind = self._random.choice(("text", "similar", "user", "filtered"))
        if kind == "text":
            rows = connection.execute(BY_TEXT, (self._contents[probe],)).fetchall()
            if not rows or rows[0][0] > 0.01:
                self.seen.mixed.append(f"text {rows}")
        elif kind == "similar":
            rows = connection.execute(SIMILAR, (probe,)).fetchall()
            if not any(
                all(
                    similarity is None or abs(float(vectors[probe] @ vectors[item]) - similarity) < 1e-3
                    for item, similarity in rows
                )
                for vectors in self._vectors
            ):
                self.seen.mixed.append(f"similar {rows}")
        elif kind == "user":
            rows = connection.execute(FOR_USER, (self._random.randint(1, 200),)).fetchall()
        else:
            rows = connection.execute(FILTERED, (probe,)).fetchall()
        if not rows:
            self.seen.counts[f"empty {kind}"] += 1
        return kind


class Writer(Person):
    """Writes what a shop writes, to items that are no probes."""

    def __init__(self, url: str, rate: float, number: int, items: int) -> None:
        super().__init__(url, rate, number)
        self._items = items

    def act(self, connection: psycopg.Connection[Any]) -> str:
        kind = self._random.choices(list(WRITES), [weight for weight, _ in WRITES.values()])[0]
        connection.execute(
            WRITES[kind][1]
            .replace("%(number)s", "%(number)s::integer")
            .replace("%(subject)s", "%(subject)s::integer"),
            {
                "id": self._random.randint(PROBES + 1, self._items),
                "number": self._random.randrange(10**6),
                "subject": self._random.randrange(SUBJECTS),
                "user": self._random.randint(1, 200),
            },
        )
        return kind


def together(people: Sequence[Person]) -> Seen:
    """What all of them saw."""
    seen = Seen()
    for person in people:
        seen.seconds += person.seen.seconds
        seen.counts += person.seen.counts
        seen.errors += person.seen.errors
        seen.mixed += person.seen.mixed
    return seen


def open_shop(connection: psycopg.Connection[Any], embedders: tuple[SubjectEmbedder, ...]) -> dict[int, str]:
    """Make the first items probes, add people who like things, and keep the probes' texts; returns those.

    The catalogue is embedded already.
    """
    connection.execute("update recsys.items set category = 'probe' where id <= %s", (PROBES,))
    connection.execute(
        "insert into recsys.users (external_id) select 'u' || n from generate_series(1, 200) n"
    )
    connection.execute(
        "insert into recsys.interactions (user_id, item_id, kind)"
        " select u.id, 1 + (u.id * 31 + n * n * 17) %% 5000, 'like'"
        " from recsys.users u, generate_series(1, 20) n on conflict do nothing".replace("%%", "%")
    )
    rows = connection.execute(
        "select id, recsys.item_content(title, description, category, tags) from recsys.items where id <= %s",
        (PROBES,),
    ).fetchall()
    contents = dict(rows)
    for content in contents.values():
        vector = "[" + ",".join(map(str, embedders[0].vector(content))) + "]"
        connection.execute("select recsys_api.remember_query(%s, %s)", (content, vector))
    return contents
