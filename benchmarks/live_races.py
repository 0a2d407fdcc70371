"""10,000 updates of texts that are being embedded at that moment: no vector is ever that of another text.

Three workers embed; writers look for items that a worker holds and rewrite their text. All the while, and in
the end, all items are embedded anew and compared with what the database has: whoever reads must never find a
vector beside a text that it does not belong to.

    python live_races.py --updates 10000
"""

import argparse
import json
import random
import threading
import time
from typing import Any

import psycopg
from live_catalogue import SUBJECTS, SubjectEmbedder, drain, fill, invariants
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.embedding import Worker

DATABASE = "recsys_live_races"
WORKERS, WRITERS = 3, 4
HELD = """
select j.item_id from recsys.embedding_jobs j where j.lease_token is not null offset %s limit 1
"""
UPDATE = """
update recsys.items i set title = 'text ' || %(number)s::integer || ' of ' || i.id,
    description = 'about subject ' || %(subject)s::integer
where i.id = %(id)s
"""
IS_HELD = "select lease_token is not null from recsys.embedding_jobs where item_id = %s"


class Writer(threading.Thread):
    """Rewrites what a worker holds, or else any item; counts which it was."""

    def __init__(self, url: str, number: int, updates: int, items: int) -> None:
        super().__init__()
        self._url, self._items = url, items
        self._updates = updates
        self._random = random.Random(number)
        self.held = 0

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for number in range(self._updates):
                row = connection.execute(HELD, (self._random.randrange(64),)).fetchone()
                item = row[0] if row else self._random.randint(1, self._items)
                with connection.transaction():
                    was = connection.execute(IS_HELD, (item,)).fetchone()
                    connection.execute(
                        UPDATE,
                        {"number": number, "subject": self._random.randrange(SUBJECTS), "id": item},
                    )
                self.held += bool(was and was[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--updates", type=int, default=10_000)
    options = parser.parse_args()
    with server_url() as server:
        url = fresh_database(server, DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection, options.items)
        engine = db.create_engine(url, pool_size=20)
        stop = threading.Event()

        def work() -> Any:
            embedder = SubjectEmbedder(before=lambda texts: time.sleep(0.002 * len(texts)))
            return Worker(engine, embedder, batch_size=32, poll_seconds=0.05).run(stop)

        reports: list[Any] = []
        workers = [threading.Thread(target=lambda: reports.append(work())) for _ in range(WORKERS)]
        writers = [
            Writer(url, number, options.updates // WRITERS, options.items) for number in range(WRITERS)
        ]
        for thread in workers + writers:
            thread.start()
        embedder = SubjectEmbedder()
        looks, stale_meanwhile = 0, 0
        while any(writer.is_alive() for writer in writers):
            stale_meanwhile += invariants(url, embedder)["stale"]
            looks += 1
            time.sleep(0.5)
        stop.set()
        for thread in workers + writers:
            thread.join()
        engine.dispose()
        drain(url, embedder)
        result = {
            "machine": machine(),
            "updates": options.updates,
            "of items that a worker held": sum(writer.held for writer in writers),
            "vectors that workers lost by it": sum(report.lost for report in reports),
            "looks meanwhile": looks,
            "stale meanwhile": stale_meanwhile,
            "in the end": invariants(url, embedder),
        }
        print(json.dumps(result, indent=2))
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live_races.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
