"""One text in a hundred that the model cannot take, among 20,000.

The first pass must embed all others; after the last attempt the poison is in recsys_report.failed_embeddings
with its error; once the texts are mended, or the model is, requeue brings them back.

    python live_poison.py --items 20000
"""

import argparse
import json
import logging
from typing import Any

import psycopg
from live_catalogue import POISON, SubjectEmbedder, drain, fill, invariants
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.embedding import Worker, requeue_failed

DATABASE = "recsys_live_poison"
ATTEMPTS = 5
DEAD = """
select count(*), count(*) filter (where last_error like '%%a text that this model cannot take%%'),
    count(*) filter (where title like 'poison %%')
from recsys_report.failed_embeddings
"""


class Mended(SubjectEmbedder):
    """The model, once it takes all texts."""

    def embed(self, texts: Any) -> Any:
        return super().embed([text.replace(POISON, "mended") for text in texts])

    def vector(self, text: str) -> Any:
        return super().vector(text.replace(POISON, "mended"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=20_000)
    options = parser.parse_args()
    logging.getLogger("recsys_pg.embedding").setLevel(logging.CRITICAL)
    calls: list[int] = []
    with server_url() as server:
        url = fresh_database(server, DATABASE)
        engine = db.create_engine(url)
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection, options.items)
            connection.execute(
                "update recsys.items set title = 'poison ' || id where id in"
                " (select id from recsys.items order by md5(id::text) limit %s)",
                (options.items // 100,),
            )
            embedder = SubjectEmbedder(before=lambda texts: calls.append(len(texts)))
            worker = Worker(engine, embedder, max_attempts=ATTEMPTS)
            passes = [worker.run_once()]
            (without,) = connection.execute(
                "select count(*) from recsys.items where embedding is null and title not like 'poison %'"
            ).fetchone() or (0,)
            first_calls = (len(calls), sum(calls))
            for _ in range(ATTEMPTS - 1):
                connection.execute("update recsys.embedding_jobs set available_at = now()")
                passes.append(worker.run_once())
            dead, with_error, poison = connection.execute(DEAD).fetchone() or (0, 0, 0)
            requeued = requeue_failed(engine)
            drain(url, Mended())
            result = {
                "machine": machine(),
                "items": options.items,
                "poison": options.items // 100,
                "embedded in the first pass": passes[0].embedded,
                "others without a vector after it": without,
                "calls of the model in the first pass, texts in them": first_calls,
                "dead letters after the last": dead,
                "with their error": with_error,
                "that are poison": poison,
                "requeued": requeued,
                "in the end": invariants(url, Mended()),
            }
        engine.dispose()
        print(json.dumps(result, indent=2))
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live_poison.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
