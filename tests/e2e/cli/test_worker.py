"""worker, requeue and train."""

import json
import signal
import socket
import time
import urllib.request

import numpy as np
import psycopg
import pytest

from recsys_pg import db
from recsys_pg.config import DEFAULT_MODEL


class Embedder:
    """Has the identity of the database's model; fails on a word."""

    name = DEFAULT_MODEL
    revision = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    dimensions = 384

    def embed(self, texts):
        if any("Reloaded" in text for text in texts):
            raise ValueError("no sequels")
        return np.full((len(texts), 384), 384**-0.5, np.float32)


@pytest.fixture
def embedder(monkeypatch):
    """Lets the commands of this process embed without a model."""
    monkeypatch.setattr("recsys_pg.cli.embedder.load_worker_embedder", lambda: (Embedder(), "float32"))


def scalar(url, query):
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        return connection.execute(query).fetchone()[0]


def wait_for(url, query):
    deadline = time.monotonic() + 60
    while not scalar(url, query):
        assert time.monotonic() < deadline, query
        time.sleep(0.05)


def test_once_empties_the_queue_and_reports(cli, own_shop, embedder):
    with psycopg.connect(**db.connection_parameters(own_shop)) as connection:
        connection.execute("delete from recsys.items where id = 2")
    done = cli("worker", "--once", "--json", "--database-url", own_shop)
    assert done.code == 0, done.err
    assert done.json.keys() == {"embedded", "emptied", "failed", "retried", "lost", "seconds"}
    assert done.json["embedded"] == 7
    assert cli("worker", "--once", "--database-url", own_shop).out.startswith("Embedded 0 items")


def test_once_fails_when_an_item_is_given_up_and_requeue_gives_it_another_try(
    cli, own_shop, embedder, monkeypatch
):
    monkeypatch.setenv("RECSYS_PG_WORKER_MAX_ATTEMPTS", "1")
    done = cli("worker", "--once", "--database-url", own_shop)
    assert done.code == 1
    assert "Embedded 7 items" in done.out
    assert "1 failed for good" in done.out
    unharmed = cli("requeue", "--item", "1", "--database-url", own_shop)
    assert unharmed.code == 2
    assert "Only 0 of the 1 items named have failed" in unharmed.err
    assert cli("requeue", "--json", "--database-url", own_shop).json == {"requeued": 1}
    assert cli("requeue", "--database-url", own_shop).out == "Put 0 items back into the queue.\n"


@pytest.mark.parametrize(
    ("options", "number", "code"), [(["--once"], signal.SIGTERM, 143), ([], signal.SIGINT, 0)]
)
def test_a_signal_ends_a_worker_and_loses_nothing(start_cli, url, options, number, code):
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        connection.execute(
            "insert into recsys.items (title, description)"
            " select 'Item ' || n, repeat('a long text about nothing ', 40) from generate_series(1, 3000) n"
        )
    process = start_cli("worker", *options, "--batch-size", "16", "--database-url", url)
    wait_for(url, "select exists (select from recsys.items where embedding is not null)")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert scalar(url, "select count(*) from recsys.embedding_jobs where lease_token is not null") == 0
    done = scalar(url, "select count(*) from recsys.items where embedding is not null")
    assert 0 < done < 3000
    assert scalar(url, "select count(*) from recsys.embedding_jobs") == 3000 - done


def test_train_learns_and_says_from_what(cli, own_shop):
    done = cli("train", "--database-url", own_shop)
    assert done.code == 0, done.err
    assert "8 likes of 3 users" in done.out
    assert scalar(own_shop, "select count(*) from recsys.models where purpose = 'collaborative'") == 2


def test_train_as_json(cli, own_shop):
    report = cli("train", "--algorithm", "cosine", "--seed", "7", "--json", "--database-url", own_shop).json
    assert report["algorithm"] == "cosine"
    assert report["users"] == 3


def test_train_without_interactions_says_what_is_missing(cli, url):
    done = cli("train", "--database-url", url)
    assert done.code == 0
    assert done.out.startswith("No item graph")


def test_train_dry_run_says_what_would_be_learned_and_learns_nothing(cli, own_shop):
    before = cli("model", "list", "--json", "--database-url", own_shop).json
    shown = cli("train", "--dry-run", "--database-url", own_shop)
    assert shown.code == 0, shown.err
    for word in ("likes of 3 users", "cooccurrence", "repeat", "left out", "Memory:", "Time:", "Disk:"):
        assert word in shown.out
    assert "Item graph: EASE." in shown.out  # of three users nothing tells which is better
    plan = cli("train", "--dry-run", "--memory-gb", "2", "--json", "--database-url", own_shop).json
    assert plan["memory_gb"] == 2
    assert "cooccurrence" in plan["operators"]
    assert cli("model", "list", "--json", "--database-url", own_shop).json == before


def test_train_dry_run_without_interactions_says_what_is_missing(cli, url):
    shown = cli("train", "--dry-run", "--database-url", url)
    assert shown.code == 0
    assert shown.out.startswith("No item graph: no interaction says")


def test_a_worker_serves_its_metrics_and_logs_json(start_cli, url):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        connection.execute("insert into recsys.items (title) values ('A film'), ('Another film')")
    worker = start_cli("worker", "--metrics-port", str(port), "--log-json", "--database-url", url)
    wait_for(url, "select count(*) = 0 from recsys.embedding_jobs")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert 'recsys_worker_items_total{outcome="embedded"} 2.0' in answer.read().decode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        assert answer.status == 200
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0
    [batch] = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert (batch["levelname"], batch["embedded"], len(batch["item_ids"])) == ("INFO", 2, 2)
    assert batch["message"] == "A batch of 2 items: 2 embedded"
