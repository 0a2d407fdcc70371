"""A shop's day in ten minutes: people read and write all the while, and every fault that we know happens.

Workers run under a supervisor that starts them again, behind a proxy, as in production. About every eight
seconds something happens: a worker or a server process is killed (SIGKILL), the server itself is killed and
started again, all connections are cut, the model raises, hangs, returns NaN or the wrong shape for some
seconds, statements time out, the disk of the queue is full (where a small one can be mounted), the clock is
set back by an hour (the times in the queue are put ahead by one, which is what a worker sees of it), poison
comes in, a feed of two thousand items comes in, the model is switched. Told are throughput, the lag from the
commit of a text to its vector, errors that people saw, and what must not be in the end.

    python live_day.py --seconds 600
"""

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from live_catalogue import FILL, SUBJECTS, SubjectEmbedder, drain, fill, invariants
from live_kills import REPAIR, Worker, kill_backend
from live_proxy import Proxy
from live_shop import Reader, Writer, open_shop, together
from psycopg.conninfo import make_conninfo
from search_servers import machine
from server import RESULTS, fresh_database

from recsys_pg import db, embedded
from recsys_pg.deferred_index import build_deferred
from recsys_pg.model_switch import finish_switch, switch_model

DATABASE = "recsys_live_day"
WORKERS = 2
READS, WRITES, PEOPLE = 20.0, 30.0, 2
LEASE = "6"


class Supervisor(threading.Thread):
    """Keeps workers running, as compose or systemd does."""

    def __init__(self, url: str, *options: str) -> None:
        super().__init__(daemon=True)
        self._start = lambda: Worker(url, "--lease", LEASE, *options)
        self.workers = [self._start() for _ in range(WORKERS)]
        self.stop = threading.Event()
        self.ended: Counter[int] = Counter()

    def run(self) -> None:
        while not self.stop.wait(0.5):
            for number, worker in enumerate(self.workers):
                if not worker.is_running():
                    self.ended[worker.process.returncode] += 1
                    self.workers[number] = self._start()

    def kill_one(self) -> None:
        random.choice(self.workers).process.send_signal(signal.SIGKILL)

    def end(self) -> None:
        self.stop.set()
        self.join()
        for worker in self.workers:
            worker.kill()


class Lags(threading.Thread):
    """Rewrites a text now and then, and measures the time until its vector is there."""

    def __init__(self, url: str, items: int) -> None:
        super().__init__(daemon=True)
        self._url, self._items = url, items
        self.stop = threading.Event()
        self.seconds: list[float] = []

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True) as connection:
                while not self.stop.is_set():
                    number += 1
                    self._measure(connection, self._items - number % 500, number)
                    self.stop.wait(0.5)
            self.stop.wait(0.2)

    def _measure(self, connection: psycopg.Connection[Any], item: int, number: int) -> None:
        connection.execute("update recsys.items set title = %s where id = %s", (f"timed {number}", item))
        started = time.monotonic()
        while not self.stop.is_set():
            try:
                row = connection.execute(
                    "select embedding is not null from recsys.items where id = %s", (item,)
                ).fetchone()
                if row == (True,):
                    self.seconds.append(time.monotonic() - started)
                    return
            except psycopg.Error:
                # the time goes on while the server is away
                with suppress(psycopg.Error):
                    connection = psycopg.connect(self._url, autocommit=True)
            time.sleep(0.05)


class Day:
    """The shop, and what happens to it."""

    def __init__(self, folder: Path, items: int) -> None:
        self.data, self.items = folder / "data", items
        self.mood = folder / "mood"
        self.mood.write_text("")
        self._server = embedded.start(self.data, on_exit="delete")
        self.url = fresh_database(self._server.url, DATABASE)
        self.embedder = SubjectEmbedder("first")
        self.fed = items
        parameters = db.connection_parameters(self.url)
        (folder / "proxy").mkdir()
        self.proxy = Proxy(folder / "proxy", str(parameters["host"]))
        self.worker_url = make_conninfo(**parameters | {"host": str(folder / "proxy")})
        self.happened: Counter[str] = Counter()
        self._disk = folder / "disk"
        self.has_disk = self._mount()

    def close(self) -> None:
        """Stop the server and let its disk go."""
        self._server.stop()
        if self.has_disk:
            subprocess.run(["umount", str(self._disk)], check=True)

    def open(self) -> dict[int, str]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            fill(connection, self.items, "first")
            drain(self.url, self.embedder)
            contents = open_shop(connection, (self.embedder,))
            drain(self.url, self.embedder)
            engine = db.create_engine(self.url)
            build_deferred(engine)
            engine.dispose()
            connection.execute("vacuum analyze")
            if self.has_disk:
                connection.execute(f"create tablespace small location '{self._disk}'".encode())
                connection.execute("alter table recsys.embedding_jobs set tablespace small")
                connection.execute("alter index recsys.embedding_jobs_pkey set tablespace small")
                connection.execute("alter index recsys.embedding_jobs_available_at_idx set tablespace small")
        self.supervisor = Supervisor(self.worker_url, "--model", "first", "--mood", str(self.mood))
        self.supervisor.start()
        return contents

    def faults(self) -> dict[str, Callable[[], object]]:
        """What may happen, by name."""
        on_a_disk = {"disk full": self._fill_disk} if self.has_disk else {}
        return on_a_disk | {
            "worker killed": self.supervisor.kill_one,
            "server process killed": lambda: kill_backend(self.url),
            "server killed": self._kill_server,
            "connections cut": self.proxy.cut,
            "model raises": lambda: self._mood("raise"),
            "model returns NaN": lambda: self._mood("nan"),
            "model returns the wrong shape": lambda: self._mood("shape"),
            "model hangs": lambda: self._mood("hang", 8),
            "statements time out": self._time_out,
            "clock set back": self._set_clock_back,
            "poison": self._poison,
            "feed": self._feed,
        }

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def switch(self) -> dict[str, Any]:
        """To another model and back, with a worker of it beside; then the way back is given up."""
        engine = db.create_engine(self.url)
        report = switch_model(engine, SubjectEmbedder("second"), searches=30)
        back = switch_model(engine, self.embedder, searches=30)
        finish_switch(engine)
        engine.dispose()
        self.happened["model switched, and back"] += 1
        return {"there": vars(report), "back": vars(back)}

    def _mount(self) -> bool:
        """A disk of 24 MB for the queue, where this process may mount one."""
        self._disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self._disk)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode == 0:
            owner = self.data.stat()
            os.chown(self._disk, owner.st_uid, owner.st_gid)
        return mounted.returncode == 0

    def _fill_disk(self) -> None:
        rest = self._disk / "rest"
        with suppress(OSError), rest.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        # so that the queue grows into what is not there
        with suppress(psycopg.Error):
            self._feed()
        time.sleep(5)
        rest.unlink()
        self._feed()

    def _mood(self, mood: str, seconds: float = 4) -> None:
        self.mood.write_text(mood)
        time.sleep(seconds)
        self.mood.write_text("")

    def _kill_server(self) -> None:
        os.kill(int((self.data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        time.sleep(3)
        self._server = embedded.start(self.data, on_exit="delete")

    def _time_out(self) -> None:
        self.sql(f"alter database {DATABASE} set statement_timeout = '3ms'")
        self.proxy.cut()
        time.sleep(4)
        with psycopg.connect(self.url, autocommit=True, options="-c statement_timeout=0") as connection:
            connection.execute(f"alter database {DATABASE} reset statement_timeout".encode())
        self.proxy.cut()

    def _set_clock_back(self) -> None:
        hour = "interval '1 hour'"
        self.sql(
            f"update recsys.embedding_jobs set requested_at = requested_at + {hour},"
            f" available_at = available_at + {hour}",
            f"update recsys.taste_changes set changed_at = changed_at + {hour}",
        )

    def _poison(self) -> None:
        self.sql(
            "update recsys.items set title = 'poison ' || id where id in"
            f" (select id from recsys.items where id > {self.items // 2} order by random() limit 20)"
        )
        time.sleep(3)
        self.sql(REPAIR)

    def _feed(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(FILL, {"first": self.fed + 1, "last": self.fed + 2_000, "subjects": SUBJECTS})
        self.fed += 2_000


def live(day: Day, seconds: float) -> dict[str, Any]:
    """Let it go on for so many seconds; what was seen."""
    contents = day.open()
    second = SubjectEmbedder("second")
    readers = [Reader(day.url, READS / PEOPLE, n, contents, (day.embedder, second)) for n in range(PEOPLE)]
    writers = [Writer(day.url, WRITES / PEOPLE, 100 + n, day.items) for n in range(PEOPLE)]
    lags = Lags(day.url, day.items)
    for thread in (*readers, *writers, lags):
        thread.start()
    until = time.monotonic() + seconds
    switched: dict[str, Any] = {}
    faults = day.faults()
    while time.monotonic() < until:
        for name in random.sample(list(faults), len(faults)):
            if time.monotonic() > until:
                break
            time.sleep(random.uniform(4, 8))
            print(f"{until - time.monotonic():.0f} s left: {name}", flush=True)
            try:
                faults[name]()
                day.happened[name] += 1
            except psycopg.Error as error:
                day.happened[f"{name}, in vain: {type(error).__name__}"] += 1
        if not switched and time.monotonic() < until:
            switched = day.switch()
    for thread in (*readers, *writers, lags):
        thread.stop.set()
    for thread in (*readers, *writers, lags):
        thread.join()
    began = time.monotonic()
    with psycopg.connect(day.url, autocommit=True) as connection:
        connection.execute(REPAIR)
        given_up = connection.execute(
            "select count(*) from recsys.embedding_jobs where failed_at is not null"
        ).fetchone()
        while connection.execute(
            "select 1 from recsys.embedding_jobs where failed_at is null and attempts = 0 limit 1"
        ).fetchone():
            time.sleep(0.5)
        settled = time.monotonic() - began
        connection.execute("update recsys.embedding_jobs set failed_at = null, attempts = 0")
    day.supervisor.end()
    drain(day.url, day.embedder)
    quantiles = np.quantile(np.array(lags.seconds), (0.5, 0.95, 1)) if lags.seconds else np.zeros(3)
    return {
        "seconds": seconds,
        "happened": dict(day.happened),
        "workers that ended, by exit status": dict(day.supervisor.ended),
        "switch": switched,
        "lag of a text in seconds: p50, p95, most, measured": [
            *(round(float(value), 2) for value in quantiles),
            len(lags.seconds),
        ],
        "reads": together(readers).summary(),
        "writes": together(writers).summary(),
        "given up by then": given_up,
        "seconds until all was embedded": round(settled, 1),
        "in the end": invariants(day.url, day.embedder),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recsys_benchmark_", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        result = {"machine": machine(), "items": options.items}
        day = Day(Path(folder), options.items)
        try:
            result |= live(day, options.seconds)
        finally:
            day.close()
        print(json.dumps(result, indent=2))
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live_day.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
