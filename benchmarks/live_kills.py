"""Workers and server processes killed at every step, again and again, while the catalogue changes.

First the steps of the protocol are listed: a worker is let run over items of every kind, and each statement
before and after, each commit before and after, and the model are a step. Then a worker is killed at each of
them (it kills itself by SIGKILL when it gets there), beside two that live; where it does not get there, once
more alone. Then three workers are killed at
random moments, 200 times and more; and now and then a process of the server, after which PostgreSQL restarts
itself. Meanwhile texts are rewritten, emptied, poisoned and repaired, items come and go. In the end what
waits is embedded by one worker that nothing disturbs, and all items are embedded anew and compared.

    python live_kills.py --items 2000 --kills 220
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg
from live_catalogue import SUBJECTS, SubjectEmbedder, drain, fill, invariants
from search_servers import machine
from server import RESULTS, fresh_database, server_url

DATABASE = "recsys_live_kills"
WORKERS = 3
CHANGES = (
    "update recsys.items set title = title || ' again' where id = %(id)s",
    "update recsys.items set description = 'about subject ' || %(subject)s::integer where id = %(id)s",
    "update recsys.items set title = '', description = null, category = null where id = %(id)s",
    "update recsys.items set title = 'poison ' || id where id = %(id)s",
    "delete from recsys.items where id = %(id)s",
    "insert into recsys.items (title, description)"
    " values ('new ' || %(id)s::integer, 'about subject ' || %(subject)s::integer)",
    "update recsys.items set price = %(subject)s, in_stock = not in_stock where id = %(id)s",
)
WEIGHTS = (40, 20, 2, 1, 2, 8, 27)
REPAIR = "update recsys.items set title = 'repaired ' || id where title like 'poison %'"


class Worker:
    """A worker process, replaced when it ends."""

    def __init__(self, url: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("live_worker.py")), url, *options],
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def is_running(self) -> bool:
        return self.process.poll() is None


class Writers(threading.Thread):
    """Changes the catalogue until it is told to stop, some hundred times a second; outlives the server."""

    def __init__(self, url: str, pause: float = 0.005) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._pause = pause
        self._random = random.Random(1)
        self.stop = threading.Event()
        self.changes = 0
        self.errors: Counter[str] = Counter()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    self._write(connection)
            except psycopg.Error as error:
                self.errors[type(error).__name__] += 1
                time.sleep(0.2)

    def _hold(self, connection: psycopg.Connection, item: int) -> None:
        """Write some items and take long to commit, so that workers find them held; then drop the center."""
        with connection.transaction():
            connection.execute(
                "update recsys.items set title = title || ' held' where id between %s and %s",
                (item, item + 30),
            )
            time.sleep(0.3)
        connection.execute("update recsys.models set center = null where purpose = 'embedding'")

    def _write(self, connection: psycopg.Connection) -> None:
        (last,) = connection.execute("select max(id) from recsys.items").fetchone() or (0,)
        while not self.stop.is_set():
            statement = self._random.choices(CHANGES, WEIGHTS)[0]
            item = self._random.randint(1, last)
            connection.execute(statement, {"id": item, "subject": self._random.randrange(SUBJECTS)})
            self.changes += 1
            if self.changes % 500 == 0:
                connection.execute(REPAIR)
            if self.changes % 100 == 0:
                self._hold(connection, item)
            time.sleep(self._pause)


def steps_of(url: str, folder: Path) -> list[str]:
    """The steps that a worker reaches within some seconds of all kinds of changes."""
    log = folder / "steps"
    worker = Worker(url, "--log", str(log))
    time.sleep(12)
    worker.process.terminate()
    worker.process.wait()
    return log.read_text(encoding="utf-8").splitlines()


def kill_at_each(url: str, steps: list[str], seconds: float) -> tuple[int, list[str]]:
    """How many workers died at their step, and the steps that none came to within so many seconds."""
    died, not_reached = 0, []
    for step in steps:
        worker = Worker(url, "--crash-at", step)
        try:
            worker.process.wait(seconds)
            died += worker.process.returncode == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            worker.kill()
            not_reached.append(step)
    return died, not_reached


def kill_at_random(url: str, kills: int) -> Counter[str]:
    """Kill workers, and every 20th time a process of the server that serves one."""
    counts: Counter[str] = Counter()
    workers = [Worker(url) for _ in range(WORKERS)]
    time.sleep(2)
    while counts["workers"] < kills:
        time.sleep(random.uniform(0.05, 1.2))
        if counts["workers"] % 20 == 19:
            counts["server processes"] += kill_backend(url)
        victim = random.randrange(WORKERS)
        counts["died otherwise"] += not workers[victim].is_running()
        workers[victim].kill()
        workers[victim] = Worker(url)
        counts["workers"] += 1
        if counts["workers"] % 20 == 0:
            print(f"{counts['workers']} killed", flush=True)
    for worker in workers:
        worker.kill()
    return counts


def kill_backend(url: str) -> int:
    """kill -9 of a server process; PostgreSQL ends all others and recovers."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            rows = connection.execute(
                "select pid from pg_stat_activity where application_name = 'recsys_pg'"
                " order by random() limit 1"
            ).fetchall()
        for (pid,) in rows:
            os.kill(pid, signal.SIGKILL)
        return len(rows)
    except psycopg.Error:
        return 0


def wait_for_server(url: str) -> None:
    """Return when the server has recovered from what was killed last."""
    until = time.monotonic() + 60
    while True:
        try:
            return psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=220)
    options = parser.parse_args()
    with server_url() as server, tempfile.TemporaryDirectory() as folder:
        url = fresh_database(server, DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection, options.items)
        writers = Writers(url)
        writers.start()
        steps = steps_of(url, Path(folder))
        print(f"{len(steps)} steps", flush=True)
        beside = [Worker(url) for _ in range(WORKERS - 1)]
        died, seldom = kill_at_each(url, steps, 20)
        for worker in beside:
            worker.kill()
        # the others took what such a step needs
        more, not_reached = kill_at_each(url, seldom, 120)
        died += more
        print(f"killed at {died} steps; not reached again: {not_reached}", flush=True)
        counts = kill_at_random(url, options.kills)
        writers.stop.set()
        writers.join()
        wait_for_server(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(REPAIR)
            (given_up,) = connection.execute(
                "select count(*) from recsys.embedding_jobs where failed_at is not null"
            ).fetchone() or (0,)
            connection.execute("update recsys.embedding_jobs set failed_at = null, attempts = 0")
        embedder = SubjectEmbedder()
        drain(url, embedder)
        result = {
            "machine": machine(),
            "steps": steps,
            "killed at a step": died,
            "not reached again": not_reached,
            "killed at random": dict(counts),
            "changes meanwhile": writers.changes,
            "errors of writers": dict(writers.errors),
            "given up by then": given_up,
            "in the end": invariants(url, embedder),
        }
        print(json.dumps(result, indent=2))
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live_kills.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
