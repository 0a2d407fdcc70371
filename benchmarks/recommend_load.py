"""The shop under load: calls a second by the number of connections, and a training and its switch."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

CONNECTIONS = (1, 2, 4, 8)
PAUSE = 0.2
"""Seconds between two reads of each of two readers while a model is trained."""
CALL = "select item_id from recsys_api.recommend_for_user(%s, 10)"


def throughput(
    connection: psycopg.Connection[Any], url: str, pgbench: Path, users: int, seconds: int
) -> dict[str, dict[str, float]]:
    """Calls a second by number of connections; and what backends waited for, looked at every 50 ms."""
    measured = {}
    with TemporaryDirectory() as folder:
        script = Path(folder) / "call.sql"
        script.write_text(
            f"\\set user random(1, {users})\nselect count(*) from recsys_api.recommend_for_user(:user, 10);\n"
        )
        for clients in CONNECTIONS:
            command = [
                str(pgbench),
                "-n",
                "-M",
                "prepared",
                "-f",
                str(script),
                "-c",
                str(clients),
                "-T",
                str(seconds),
            ]
            waits: Counter[str] = Counter()
            with subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True) as process:
                while process.poll() is None:
                    rows = connection.execute(
                        "select coalesce(wait_event_type, 'running') from pg_stat_activity"
                        " where application_name = 'pgbench' and state = 'active'"
                    ).fetchall()
                    waits.update(row[0] for row in rows)
                    time.sleep(0.05)
                assert process.stdout is not None
                output = process.stdout.read()
            (rate,) = [float(line.split()[2]) for line in output.splitlines() if line.startswith("tps")]
            measured[str(clients)] = {"calls_per_second": round(rate, 1), **dict(waits)}
    return measured


def switch(
    connection: psycopg.Connection[Any], url: str, users: Sequence[int], train: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Train another model under load, and compare every result with what either model says."""

    def answers() -> dict[int, tuple[int, ...]]:
        return {user: tuple(row[0] for row in connection.execute(CALL, (user,))) for user in users}

    before = answers()
    results: list[tuple[int, tuple[int, ...]]] = []
    failures: list[str] = []
    stop = threading.Event()

    def read(offset: int) -> None:
        with psycopg.connect(url, autocommit=True) as reader:
            turn = offset
            while not stop.is_set():
                user = users[turn % len(users)]
                turn += 1
                try:
                    rows = reader.execute(CALL, (user,)).fetchall()
                except psycopg.Error as error:
                    failures.append(str(error))
                    return
                results.append((user, tuple(row[0] for row in rows)))
                time.sleep(PAUSE)

    readers = [threading.Thread(target=read, args=(7 * number,)) for number in range(2)]
    for reader in readers:
        reader.start()
    training = train()
    time.sleep(2)
    stop.set()
    for reader in readers:
        reader.join()
    after = answers()
    of_old = sum(found == before[user] for user, found in results)
    of_new = sum(found == after[user] and found != before[user] for user, found in results)
    return {
        "training": training,
        "reads": len(results),
        "of_old": of_old,
        "of_new": of_new,
        "mixed": len(results) - of_old - of_new,
        "failed": failures,
        "users_whose_rows_differ": sum(before[user] != after[user] for user in users),
    }
