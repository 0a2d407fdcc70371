"""A switch of the embedding model while people read and write, killed in each of its phases on the way.

100,000 items; 50 reads and 50 writes a second; a worker of the model in use all the while. The switch runs
in a process of its own, which is killed (SIGKILL) as soon as it tells of a new phase, and started again. When
it has been killed in each, the last run completes. Recall is that of recsys_api.check_recall, before, during
and after. Then it is switched back, and the model before is given up.

    python live_switch.py --items 100000
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
from live_catalogue import SubjectEmbedder, drain, fill, invariants
from live_kills import Worker
from live_shop import Reader, Writer, open_shop, together
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.deferred_index import build_deferred
from recsys_pg.model_switch import finish_switch, switch_model

DATABASE = "recsys_live_switch"
PEOPLE = 4
RECALL = "select sum(recall * searches) / sum(searches) from recsys_api.check_recall(sample => 40, n => 10)"


def switch(url: str, model: str) -> None:
    """In a process of its own: switch, and tell of each phase on stdout."""
    told: set[str] = set()

    def tell(phase: str, *_: object) -> None:
        if phase not in told:
            told.add(phase)
            print(phase, flush=True)

    report = switch_model(db.create_engine(url), SubjectEmbedder(model), searches=50, progress=tell)
    print(
        json.dumps(vars(report) if report else {"complete": "by the run before, which was killed after it"})
    )


def killed_in_each_phase(url: str, model: str) -> tuple[list[str], dict[str, Any]]:
    """The phases in which it was killed, and what the run told that completed."""
    killed: list[str] = []
    while True:
        process = subprocess.Popen(
            [sys.executable, __file__, "--switch", model, "--url", url], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            phase = line.strip()
            if phase.startswith("{"):
                process.wait()
                return killed, json.loads(phase)
            if phase not in killed:
                time.sleep(0.3)
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed.append(phase)
                print(f"killed in: {phase}", flush=True)
                break
        else:
            raise RuntimeError("the switch ended without a report")


class Recalls(threading.Thread):
    """Measures recall again and again."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.stop = threading.Event()
        self.found: list[float] = []

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self.stop.wait(5):
                with suppress(psycopg.OperationalError):
                    self.found.append(recall(connection))


def recall(connection: psycopg.Connection[Any]) -> float:
    (found,) = connection.execute(RECALL).fetchone() or (0.0,)
    return round(float(found), 4)


def watch_a_switch(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """All that happened and was seen."""
    first, second = SubjectEmbedder("first"), SubjectEmbedder("second")
    engine = db.create_engine(url)
    with psycopg.connect(url, autocommit=True) as connection:
        fill(connection, options.items, "first")
        drain(url, first)
        contents = open_shop(connection, (first,))
        drain(url, first)
        build_deferred(engine)
        connection.execute("select recsys_api.refresh_tastes()")
        connection.execute("vacuum analyze")
        result: dict[str, Any] = {"items": options.items, "recall before": recall(connection)}
        print(result, flush=True)
        rate = options.rate / PEOPLE
        readers = [Reader(url, rate, number, contents, (first, second)) for number in range(PEOPLE)]
        writers = [Writer(url, rate, 100 + number, options.items) for number in range(PEOPLE)]
        recalls = Recalls(url)
        worker = Worker(url, "--model", "first")
        for thread in (*readers, *writers, recalls):
            thread.start()
        time.sleep(10)
        began = time.monotonic()
        killed, report = killed_in_each_phase(url, "second")
        result |= {
            "killed in": killed,
            "seconds with all kills": round(time.monotonic() - began),
            "the run that completed": report,
        }
        beside = Worker(url, "--model", "second")
        time.sleep(10)
        result["back again"] = vars(switch_model(engine, first, searches=50))
        beside.kill()
        finish_switch(engine)
        time.sleep(5)
        for thread in (*readers, *writers, recalls):
            thread.stop.set()
        for thread in (*readers, *writers, recalls):
            thread.join()
        worker.kill()
        drain(url, first)
        result |= {
            "reads": together(readers).summary(),
            "writes": together(writers).summary(),
            "recall meanwhile, the least of so many": [min(recalls.found), len(recalls.found)],
            "recall after": recall(connection),
            "in the end": invariants(url, first),
        }
    engine.dispose()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=50.0, help="reads a second, and writes")
    parser.add_argument("--switch", metavar="MODEL", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.switch:
        switch(options.url, options.switch)
        return
    with server_url(options.items) as server:
        result = {"machine": machine()} | watch_a_switch(fresh_database(server, DATABASE), options)
    print(json.dumps(result, indent=2))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "live_switch.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
