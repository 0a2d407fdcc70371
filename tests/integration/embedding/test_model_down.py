"""A model that is down, unlike a text at fault: no attempt counts, and it is waited for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsys_pg.embedding import Worker
from recsys_pg.errors import ModelUnavailableError


class Down:
    """The fault of a model that embeds nothing while it is down, or after so many texts."""

    def __init__(self, make_embedder, after=0):
        self.is_down = True
        self.after = after
        self.calls = 0
        self.embedder = make_embedder(self.fail)

    def fail(self, texts):
        self.calls += 1
        if self.is_down and len(self.embedder.texts) + len(texts) > self.after:
            raise ConnectionError("the provider is down")


@pytest.mark.parametrize("after", [0, 1, 40])
def test_while_the_model_is_down_no_attempt_counts(engine, catalogue, make_embedder, after):
    catalogue.add(*map(str, range(100)))
    down = Down(make_embedder, after)
    worker = Worker(engine, down.embedder, batch_size=20, max_attempts=2)
    for _ in range(4):
        with pytest.raises(ModelUnavailableError, match="ConnectionError: the provider is down"):
            worker.run_once()
    embedded = 100 - catalogue.jobs()
    assert embedded in (0, after)
    assert catalogue.sql("select distinct attempts, failed_at, lease_token from recsys.embedding_jobs") == [
        (0, None, None)
    ]
    # it is noticed at once, not text by text
    assert down.calls < 30
    down.is_down = False
    assert worker.run_once().embedded == 100 - embedded
    assert catalogue.stale(down.embedder) == []


def test_a_model_that_is_down_beside_a_poison_text_charges_the_poison_only(engine, catalogue, make_embedder):
    catalogue.add(*map(str, range(19)), "poison")

    def fail(texts):
        if "poison" in texts:
            raise ValueError("poison")
        if len(embedder.texts) >= 15:
            raise ConnectionError("down")

    embedder = make_embedder(fail)
    with pytest.raises(ModelUnavailableError):
        Worker(engine, embedder, batch_size=20).run_once()
    assert catalogue.sql("select max(attempts) from recsys.embedding_jobs where last_error is null") == [(0,)]
    assert catalogue.jobs() < 20  # what was embedded before is kept


def test_a_service_waits_for_a_model_that_is_down(engine, catalogue, make_embedder, monkeypatch, caplog):
    monkeypatch.setattr("recsys_pg.embedding.worker.random.uniform", lambda low, high: 0.01)
    catalogue.add("one", "two")
    down, stop = Down(make_embedder), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(Worker(engine, down.embedder, poll_seconds=0.05).run, stop)
        try:
            deadline = time.monotonic() + 30
            while caplog.text.count("The model is away, next try in") < 3:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            down.is_down = False
            while catalogue.jobs():
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            stop.set()
    assert (future.result().embedded, future.result().retried, future.result().failed) == (2, 0, 0)
