"""What Prometheus reads from a worker, and when it is healthy."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from recsys_pg.embedding import MetricsServer, Worker, WorkerMetrics
from recsys_pg.errors import InvalidArgumentError

DASHBOARD = Path(__file__).resolve().parents[3] / "deploy" / "grafana-dashboard.json"


@pytest.fixture
def metrics(engine, monkeypatch):
    monkeypatch.setattr("recsys_pg.embedding.metrics._QUEUE_SECONDS", 0)
    return WorkerMetrics(engine)


@pytest.fixture
def ask(metrics):
    """Status and text of a path of the metrics' server."""
    server = MetricsServer(metrics, 0, "127.0.0.1")

    def get(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    yield get
    server.close()


@pytest.fixture
def values(ask):
    """All numbers by name and labels."""

    def read():
        status, text = ask("/metrics")
        assert status == 200
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    return read


def test_the_numbers_are_those_of_the_work(engine, catalogue, make_embedder, metrics, values):
    def fail(texts):
        if "poison" in texts:
            raise ValueError("no")

    catalogue.add(*map(str, range(30)), "poison", "")
    catalogue.sql("update recsys.embedding_jobs set requested_at = now() - interval '1 hour'")
    before = values()
    assert before["recsys_embedding_jobs due"] == 32
    assert before["recsys_embedding_oldest_job_seconds"] == pytest.approx(3600, abs=60)
    assert before["recsys_worker_items_total embedded"] == 0
    Worker(engine, make_embedder(fail), max_attempts=2, observer=metrics).run_once()
    after = values()
    assert {
        name: after[f"recsys_worker_items_total {name}"] for name in ("embedded", "emptied", "retried")
    } == {
        "embedded": 30,
        "emptied": 1,
        "retried": 1,
    }
    assert after["recsys_embedding_jobs due"] == 0
    assert after["recsys_embedding_jobs delayed"] == 1
    assert after["recsys_worker_errors_total ValueError"] == 1
    assert after["recsys_worker_texts_total"] >= 30
    assert after["recsys_worker_batch_texts_count"] >= 2
    assert after["recsys_worker_model_seconds_total"] > 0
    assert after["recsys_worker_database_seconds_total"] > 0
    assert after["recsys_database_up"] == 1


def test_dead_letters_and_leases_are_states_of_their_own(engine, catalogue, make_embedder, metrics, values):
    catalogue.add("one", "two")
    catalogue.sql("update recsys.embedding_jobs set failed_at = now() where item_id % 2 = 0")
    seen = []
    Worker(engine, make_embedder(lambda texts: seen.append(values())), observer=metrics).run_once()
    assert seen[0]["recsys_embedding_jobs leased"] == 1
    assert seen[0]["recsys_embedding_jobs failed"] == 1


def test_a_worker_is_ready_while_model_and_database_answer(engine, catalogue, make_embedder, metrics, ask):
    is_down = [False]

    def fail(texts):
        if is_down:
            raise ConnectionError("down")

    def wait_for(path, status):
        deadline = time.monotonic() + 30
        while ask(path)[0] != status:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    is_down.clear()
    assert ask("/readyz")[0] == 503
    stop = threading.Event()
    worker = Worker(engine, make_embedder(fail), poll_seconds=0.1, observer=metrics)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        wait_for("/readyz", 200)
        is_down.append(True)
        catalogue.add("one")
        wait_for("/readyz", 503)
        assert ask("/healthz")[0] == 200
        is_down.clear()
        wait_for("/readyz", 200)
    finally:
        stop.set()
        thread.join()


def test_a_worker_that_does_not_watch_its_threads_is_dead(metrics, ask, monkeypatch):
    assert ask("/healthz") == (200, "ok\n")
    monkeypatch.setattr("recsys_pg.embedding.metrics._ALIVE_SECONDS", 0)
    assert ask("/healthz")[0] == 503
    assert ask("/elsewhere")[0] == 404


def test_without_a_database_the_worker_still_answers(engine, url, metrics, values, catalogue):
    catalogue.sql("alter table recsys.embedding_jobs rename to gone")
    numbers = values()
    assert numbers["recsys_database_up"] == 0
    assert "recsys_embedding_jobs due" not in numbers


def test_a_port_in_use_is_named(metrics):
    server = MetricsServer(metrics, 0, "127.0.0.1")
    try:
        with pytest.raises(InvalidArgumentError, match=f"Port {server.port} cannot be had"):
            MetricsServer(metrics, server.port, "127.0.0.1")
    finally:
        server.close()


def test_the_dashboard_shows_metrics_that_there_are(ask, metrics, catalogue):
    metrics.failed(ValueError())
    names = {
        sample.name
        for family in text_string_to_metric_families(ask("/metrics")[1])
        for sample in family.samples
    }
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    used = {name for expression in expressions for name in re.findall(r"recsys_\w+", expression)}
    assert used - names == set()
    shown = {name for name in names if not name.endswith(("_created", "_sum", "_count"))}
    assert shown - used == set()
