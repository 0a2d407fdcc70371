"""Servers that die, are restored, or change places while workers embed and the catalogue changes.

- A dump, taken in mid-work, restored into a fresh server.
- A base backup and archived WAL, recovered to a moment in mid-work (point-in-time recovery).
- A standby promoted after kill -9 of the primary in mid-work; the workers know both servers and are the same
  processes before and after.

After each, workers go on until nothing waits, and all items are embedded anew and compared.

    python live_recovery.py --items 5000
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from live_catalogue import POISON, SubjectEmbedder, fill, invariants
from live_kills import Worker, Writers
from psycopg.conninfo import make_conninfo
from search_servers import machine
from server import RESULTS, fresh_database

from recsys_pg import db, embedded

DATABASE = "recsys_live_recovery"
LEASE = "5"
TEXT_MS = "2"
"""What the model takes for a text, so that there is work for some seconds."""
JOBS = "select count(*), count(lease_token) from recsys.embedding_jobs"
MOST_SECONDS = 300


class Cluster:
    """A server in a folder of its own, which may be copied and made another's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.server: embedded.EmbeddedServer

    def start(self) -> str:
        """Start it, or what was copied into it; the URL of its first database."""
        (self.data / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        self.server = embedded.start(self.data, on_exit="delete")
        return self.server.url

    def url(self, name: str = DATABASE) -> str:
        return make_conninfo(**db.connection_parameters(self.server.url) | {"dbname": name})

    def program(self, name: str, *arguments: str) -> None:
        """Run a program of PostgreSQL's as the owner of the data, in the folder."""
        owner = self.data.stat()
        as_owner = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
        subprocess.run([str(self.server.bin_dir / name), *arguments], cwd=self.folder, check=True, **as_owner)

    def folder_for(self, name: str) -> Path:
        """A folder that its programs may write."""
        folder = self.folder.parent / name
        folder.mkdir()
        owner = self.data.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        return folder

    def base_backup(self, name: str, *options: str) -> "Cluster":
        """A copy of it, taken while it runs."""
        other = Cluster(self.folder_for(name))
        host = db.connection_parameters(self.server.url)["host"]
        self.program(
            "pg_basebackup", "-h", str(host), "-U", "postgres", "-c", "fast", "-D", str(other.data), *options
        )
        return other

    def kill(self) -> None:
        """kill -9 of the postmaster; its processes notice and end."""
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)


def rewrite(url: str) -> tuple[Any, ...]:
    """Give all items another text; the jobs when workers are at it, and how many are leased."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "update recsys.items set title = concat_ws(' ', 'again', id, pg_current_xact_id())"
        )
        time.sleep(1)
        return connection.execute(JOBS).fetchone() or ()


@contextmanager
def busy(url: str, *, for_seconds: float = 4.0) -> Iterator[list[Worker]]:
    """Two workers and a writer, who have been at it for a while: all items are to be embedded again."""
    writers = Writers(url)
    writers.start()
    workers = [Worker(url, "--lease", LEASE, "--text-ms", TEXT_MS) for _ in range(2)]
    rewrite(url)
    time.sleep(for_seconds)
    try:
        yield workers
    finally:
        writers.stop.set()
        writers.join()
        for worker in workers:
            worker.kill()


def settle(url: str, workers: list[Worker] | None = None) -> dict[str, Any]:
    """Mend the poison, and let workers go on until nothing waits; what is there then.

    Workers are new ones unless some are at it.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        waiting = connection.execute(JOBS).fetchone()
        connection.execute(
            f"update recsys.items set title = 'mended ' || id where title like '%{POISON}%'".encode()
        )
        connection.execute("update recsys.embedding_jobs set failed_at = null where failed_at is not null")
        workers = workers or [Worker(url, "--lease", LEASE) for _ in range(2)]
        began = time.monotonic()
        while connection.execute("select 1 from recsys.embedding_jobs limit 1").fetchone():
            if time.monotonic() - began > MOST_SECONDS:
                break
            time.sleep(0.5)
        seconds = time.monotonic() - began
        alive = sum(worker.is_running() for worker in workers)
    for worker in workers:
        worker.kill()
    return {
        "jobs then, leased": waiting,
        "seconds until nothing waited": round(seconds, 1),
        "workers alive": alive,
        "in the end": invariants(url, SubjectEmbedder()),
    }


def start_primary(folder: Path, items: int) -> Cluster:
    """A server with a catalogue that nobody has embedded, which archives its WAL."""
    primary = Cluster(folder / "primary")
    server = primary.start()
    archive = primary.folder_for("archive")
    with psycopg.connect(server, autocommit=True) as connection:
        for setting in (
            "archive_mode = on",
            f"archive_command = 'cp %p {archive}/%f'",
            "wal_level = replica",
            "checkpoint_timeout = '1min'",
        ):
            connection.execute(f"alter system set {setting}".encode())
    primary.server.stop()
    server = primary.start()
    url = fresh_database(server, DATABASE)
    with psycopg.connect(url, autocommit=True) as connection:
        fill(connection, items)
    return primary


def restore_a_dump(primary: Cluster, folder: Path) -> dict[str, Any]:
    """A dump of mid-work, in a fresh server."""
    dumped = primary.folder_for("dump") / "shop.dump"
    with busy(primary.url()):
        primary.program("pg_dump", "-Fc", "-f", str(dumped), "-d", primary.url())
    fresh = Cluster(folder / "fresh")
    with psycopg.connect(fresh.start(), autocommit=True) as connection:
        connection.execute(f"create database {DATABASE}".encode())
    # roles are no part of a dump
    fresh.program("pg_restore", "--no-owner", "--no-privileges", "-d", fresh.url(), str(dumped))
    found = settle(fresh.url())
    fresh.server.stop()
    return found


def recover_to_a_moment(primary: Cluster) -> dict[str, Any]:
    """A base backup, taken in mid-work, and the WAL up to a moment some seconds later."""
    with busy(primary.url()):
        recovered = primary.base_backup("recovered")
        rewrite(primary.url())
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            (moment,) = connection.execute("select now()::text").fetchone() or ("",)
            time.sleep(3)
            connection.execute("select pg_switch_wal()")
        time.sleep(2)
    settings = (
        f"\nrestore_command = 'cp {primary.folder.parent}/archive/%f %p'\n"
        f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\narchive_mode = off\n"
    )
    with open(recovered.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
        file.write(settings)
    (recovered.data / "recovery.signal").touch()
    recovered.start()
    with psycopg.connect(recovered.url(), autocommit=True) as connection:
        while connection.execute("select pg_is_in_recovery()").fetchone() != (False,):
            time.sleep(0.5)
    found = {"moment": moment} | settle(recovered.url())
    recovered.server.stop()
    return found


def fail_over(primary: Cluster) -> dict[str, Any]:
    """The standby takes over from a killed primary; workers are told of both, and never started again."""
    standby = primary.base_backup("standby", "-R")
    standby.start()
    hosts = ",".join(
        str(db.connection_parameters(cluster.server.url)["host"]) for cluster in (primary, standby)
    )
    both = make_conninfo(host=hosts, user="postgres", dbname=DATABASE, target_session_attrs="read-write")
    with busy(both) as workers:
        at_the_kill = rewrite(both)
        primary.kill()
        killed = time.monotonic()
        with psycopg.connect(standby.server.url, autocommit=True) as connection:
            connection.execute("select pg_promote()")
        promoted = time.monotonic() - killed
        time.sleep(4)
        writers_went_on = sum(worker.is_running() for worker in workers)
        found = {
            "jobs at the kill, leased": at_the_kill,
            "seconds to promote": round(promoted, 2),
            "workers alive after": writers_went_on,
        }
        with psycopg.connect(standby.url(), autocommit=True) as connection:
            (version,) = connection.execute("select max(updated_at) from recsys.items").fetchone() or (None,)
        found["written after it"] = str(version)
        survivors = list(workers)
        time.sleep(1)
        workers.clear()
    found |= settle(standby.url(), survivors)
    standby.server.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=5_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="recsys_benchmark_"))
    folder.chmod(0o755)
    try:
        result: dict[str, Any] = {"machine": machine(), "items": options.items}
        primary = start_primary(folder, options.items)
        for name, prove in (
            ("dump and restore", lambda: restore_a_dump(primary, folder)),
            ("point-in-time recovery", lambda: recover_to_a_moment(primary)),
            ("fail-over", lambda: fail_over(primary)),
        ):
            result[name] = prove()
            print(name, json.dumps(result[name], indent=2), flush=True)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live_recovery.json").write_text(
            json.dumps(result, indent=2, default=str) + "\n", encoding="utf-8"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
