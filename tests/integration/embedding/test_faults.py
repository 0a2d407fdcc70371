"""Broken texts and models, killed workers, cut connections: each costs what it touches and nothing else."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys_pg import db
from recsys_pg.embedding import Worker, requeue_failed
from recsys_pg.errors import DatabaseUnavailableError


def raises(texts, vectors):
    raise RuntimeError("no words \0 for \ud800 this " + "x" * 5000)


def gives_nan(texts, vectors):
    vectors[texts.index("poison"), 7] = np.nan
    return vectors


def gives_zeros(texts, vectors):
    vectors[texts.index("poison")] = 0
    return vectors


def gives_another_length(texts, vectors):
    return vectors[:, :100]


def gives_a_row_less(texts, vectors):
    return vectors[1:]


def gives_words(texts, vectors):
    return texts


@pytest.fixture
def make_spoiled(make_embedder):
    """An embedder that does something wrong with each batch that the text "poison" is in."""

    class Spoiled(make_embedder):
        def __init__(self, spoil):
            super().__init__()
            self.spoil = spoil

        def embed(self, texts):
            vectors = super().embed(texts)
            return self.spoil(texts, vectors) if "poison" in texts else vectors

    return Spoiled


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (raises, "RuntimeError: no words  for ? this xxx"),
        (gives_nan, "ModelError: The model returned a vector with values that are not finite for text 0."),
        (gives_zeros, "ModelError: The model returned a vector of zeros for text 0."),
        (gives_another_length, "ModelError: The model returned an array of shape (1, 100) for 1 texts, not"),
        (gives_a_row_less, "ModelError: The model returned an array of shape (0, 384) for 1 texts, not"),
        (gives_words, "ModelError: The model returned no array of numbers: "),
    ],
)
def test_a_poison_text_costs_its_own_job_only(engine, catalogue, make_spoiled, spoil, error):
    catalogue.add(*map(str, range(30)), "poison", *map(str, range(30, 63)))
    embedder = make_spoiled(spoil)
    worker = Worker(engine, embedder, max_attempts=3)

    report = worker.run_once()
    assert (report.embedded, report.retried, report.failed, report.lost) == (63, 1, 0, 0)
    assert catalogue.titles_without_vector() == ["poison"]
    assert len(embedder.texts) < 4 * 64

    catalogue.make_due()
    assert worker.run_once().retried == 1
    catalogue.make_due()
    assert worker.run_once().failed == 1
    catalogue.make_due()
    assert worker.run_once().failed == 0

    [row] = catalogue.sql("select title, attempts, last_error from recsys_report.failed_embeddings")
    assert (row.title, row.attempts) == ("poison", 3)
    assert row.last_error.startswith(error)
    assert len(row.last_error) <= 2_000
    assert catalogue.stale(embedder) == []


def test_the_backoff_doubles_up_to_an_hour(engine, catalogue, make_spoiled):
    [item] = catalogue.add("poison")
    worker = Worker(engine, make_spoiled(raises), max_attempts=100)
    for attempts, seconds in [(0, 10), (1, 20), (2, 40), (7, 1280), (20, 3600), (50, 3600)]:
        catalogue.sql("update recsys.embedding_jobs set attempts = :attempts", attempts=attempts)
        catalogue.make_due()
        assert worker.run_once().retried == 1
        [(wait,)] = catalogue.sql(
            "select extract(epoch from available_at - now()) from recsys.embedding_jobs"
        )
        assert seconds / 2 - 5 <= wait <= seconds
        assert catalogue.job(item).attempts == attempts + 1
        assert catalogue.job(item).lease_token is None


def test_dead_letters_can_be_put_back(engine, catalogue, make_spoiled, embedder):
    items = catalogue.add("poison", "poison", "poison", "fine")
    Worker(engine, make_spoiled(raises), max_attempts=1).run_once()
    assert requeue_failed(engine, [items[0], items[3], -1]) == 1
    job = catalogue.job(items[0])
    assert (job.attempts, job.failed_at, job.last_error) == (0, None, None)
    assert requeue_failed(engine, []) == 0
    assert requeue_failed(engine) == 2
    assert requeue_failed(engine) == 0
    assert Worker(engine, embedder).run_once().embedded == 3


def test_a_new_text_brings_a_dead_letter_back(engine, catalogue, make_spoiled):
    [item] = catalogue.add("poison")
    worker = Worker(engine, make_spoiled(raises), max_attempts=1)
    assert worker.run_once().failed == 1
    catalogue.sql("update recsys.items set title = 'cure' where id = :id", id=item)
    assert worker.run_once().embedded == 1


def test_a_vector_that_the_database_refuses_costs_its_own_job_only(engine, catalogue, embedder):
    catalogue.sql(
        "alter table recsys.items add constraint shop_check check (title <> 'odd' or embedding is null)"
    )
    catalogue.add("one", "odd", "two")
    report = Worker(engine, embedder, max_attempts=1).run_once()
    assert (report.embedded, report.failed) == (2, 1)
    [row] = catalogue.sql("select title, last_error from recsys_report.failed_embeddings")
    assert row.title == "odd"
    assert row.last_error.startswith('CheckViolation: new row for relation "items" violates check constraint')


def cut_connections(url: str) -> None:
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_a_connection_that_is_cut_while_the_model_runs_costs_nothing(engine, url, catalogue, make_embedder):
    catalogue.add(*map(str, range(20)))
    embedder = make_embedder(lambda texts: cut_connections(url))
    assert Worker(engine, embedder, batch_size=10, concurrency=1).run_once().embedded == 20
    assert len(embedder.texts) == 20


def test_a_connection_that_is_cut_while_vectors_are_written_costs_nothing(engine, url, catalogue, embedder):
    catalogue.add(*map(str, range(20)))
    catalogue.sql(
        "create sequence writes;"
        "create function dawdle() returns trigger language plpgsql as"
        " $$ begin if nextval('writes') = 1 then perform pg_sleep(60); end if; return new; end $$;"
        "create trigger slow before update of embedding on recsys.items"
        " for each row when (new.id = 7) execute function dawdle()"
    )
    with ThreadPoolExecutor(1) as pool:
        passed = pool.submit(Worker(engine, embedder).run_once)
        with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
            asleep = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'"
            deadline = time.monotonic() + 30
            while not connection.execute(asleep).fetchall():
                assert time.monotonic() < deadline
        assert passed.result().embedded == 20
    assert len(embedder.texts) == 20
    assert catalogue.stale(embedder) == []


@pytest.fixture
def outage(url, server_url):
    """Shuts the database to everybody, and opens it again."""
    name = db.connection_parameters(url)["dbname"]

    def switch(is_open: bool) -> None:
        with psycopg.connect(**db.connection_parameters(server_url), autocommit=True) as connection:
            connection.execute(f'alter database "{name}" allow_connections {is_open}')
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [name]
            )

    yield switch
    switch(True)


def test_a_worker_outlives_an_outage_of_the_database(engine, catalogue, make_embedder, outage, caplog):
    catalogue.add(*map(str, range(30)))
    outages = [False]

    def fall_out(texts):
        if outages:
            outage(outages.pop())
            threading.Timer(1.0, outage, [True]).start()

    stop = threading.Event()
    embedder = make_embedder(fall_out)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(Worker(engine, embedder, batch_size=10, concurrency=1).run, stop)
        deadline = time.monotonic() + 60
        while len(set(embedder.texts)) < 30 or len(embedder.texts) < 40:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stop.set()
        assert running.result().embedded == 30
    assert "The database is away" in caplog.text
    assert catalogue.titles_without_vector() == []
    assert catalogue.jobs() == 0


def test_without_a_database_a_pass_ends_with_one_clear_error(engine, catalogue, make_embedder, outage):
    items = catalogue.add("one", "two", "three")
    embedder = make_embedder(lambda texts: outage(False))
    worker = Worker(engine, embedder)
    with pytest.raises(DatabaseUnavailableError, match="The database cannot be reached"):
        worker.run_once()
    outage(True)
    assert len(embedder.texts) == 3
    assert None not in {catalogue.job(item).lease_token for item in items}  # due again after the lease
    assert len(catalogue.titles_without_vector()) == 3


HANGING_WORKER = """
import sys, time
from recsys_pg import db
from recsys_pg.embedding import Worker

class Hanging:
    name, revision, dimensions = "hash", "1", 384
    def embed(self, texts):
        print(len(texts), flush=True)
        time.sleep(600)

Worker(db.create_engine(sys.argv[1]), Hanging(), batch_size=10, concurrency=1, lease_seconds=2).run_once()
"""


def test_another_worker_takes_over_from_a_killed_one_after_the_lease(engine, url, catalogue, embedder):
    catalogue.add(*map(str, range(25)))
    command = [sys.executable, "-c", HANGING_WORKER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout.readline() == "10\n"
        killed.send_signal(signal.SIGKILL)
    worker = Worker(engine, embedder)
    assert worker.run_once().embedded == 15
    deadline = time.monotonic() + 30
    while catalogue.jobs():
        assert time.monotonic() < deadline
        time.sleep(0.2)
        worker.run_once()
    assert len(embedder.texts) == 25
    assert catalogue.stale(embedder) == []


def held(catalogue) -> list[tuple]:
    return [
        tuple(row)
        for row in catalogue.sql(
            "select attempts, lease_token, available_at <= now() from recsys.embedding_jobs"
        )
    ]


KILLED_BY_A_TEXT = """
import os, sys
from recsys_pg import db
from recsys_pg.embedding import Worker
sys.path.insert(0, {folder!r})
from conftest import HashEmbedder
die = lambda texts: "killer" in texts and os._exit(9)
engine = db.create_engine({url!r})
Worker(engine, HashEmbedder(die), batch_size=8, lease_seconds=0.2, max_attempts=3).run_once()
"""


def test_a_text_that_kills_its_workers_takes_nobody_with_it(url, catalogue, embedder):
    catalogue.add(*map(str, range(20)), "killer", *map(str, range(20, 40)))
    script = KILLED_BY_A_TEXT.format(url=url, folder=str(Path(__file__).parent))
    codes = []
    while not codes or codes[-1]:
        codes.append(subprocess.run([sys.executable, "-c", script], check=False).returncode)
        time.sleep(0.25)  # the lease
        assert len(codes) < 8
    assert codes == [9, 9, 9, 0]
    assert catalogue.titles_without_vector() == ["killer"]
    [row] = catalogue.sql("select title, attempts, last_error from recsys_report.failed_embeddings")
    assert (row.title, row.attempts) == ("killer", 3)
    assert "ended without an outcome" in row.last_error
    assert catalogue.stale(embedder) == []


def test_a_stop_finishes_the_batch_in_the_model_and_touches_no_other(engine, catalogue, make_embedder):
    catalogue.add(*map(str, range(25)))
    stop = threading.Event()
    embedder = make_embedder(lambda texts: stop.set())
    report = Worker(engine, embedder, batch_size=10, concurrency=1).run(stop)
    assert report.embedded == 10
    assert held(catalogue) == [(0, None, True)] * 15


def test_a_stop_releases_what_is_not_in_the_model(engine, catalogue, make_embedder):
    catalogue.add(*map(str, range(10)))
    stop = threading.Event()

    def fail(texts):
        stop.set()
        raise RuntimeError("a batch that has to be halved")

    report = Worker(engine, make_embedder(fail)).run(stop)
    assert (report.embedded, report.retried, report.failed) == (0, 0, 0)
    assert held(catalogue) == [(0, None, True)] * 10


def test_an_interrupt_releases_everything(engine, catalogue, make_embedder):
    catalogue.add(*map(str, range(10)))

    def interrupt(texts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Worker(engine, make_embedder(interrupt)).run_once()
    assert held(catalogue) == [(0, None, True)] * 10


HUNG_WORKER = """
import sys, time
from recsys_pg import db
from recsys_pg.embedding import Worker
sys.path.insert(0, {folder!r})
from conftest import HashEmbedder
hang = lambda texts: "hang" in texts and time.sleep(600)
engine = db.create_engine({url!r})
Worker(engine, HashEmbedder(hang), batch_size=8, lease_seconds=0.5, max_attempts=2).run_once()
"""


def test_a_text_on_which_the_model_hangs_ends_the_worker_and_is_given_up(url, catalogue, embedder):
    catalogue.add(*map(str, range(20)), "hang", *map(str, range(20, 40)))
    script = HUNG_WORKER.format(url=url, folder=str(Path(__file__).parent))
    runs = []
    while not runs or runs[-1].returncode:
        assert len(runs) < 8
        run = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
        runs.append(run)
        time.sleep(0.6)  # the lease
    assert len(runs) == 3
    assert "The model hash has been at one batch for 1 s, longer than a lease of 0 s" in runs[0].stderr
    assert catalogue.titles_without_vector() == ["hang"]
    [row] = catalogue.sql("select title, attempts from recsys_report.failed_embeddings")
    assert (row.title, row.attempts) == ("hang", 2)
    assert catalogue.stale(embedder) == []
