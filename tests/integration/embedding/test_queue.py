"""The protocol of the queue, step by step: who holds a job, and whose outcome counts."""

import numpy as np
import pytest

from recsys_pg.embedding.queue import JobQueue, Settled


@pytest.fixture
def queue(engine, catalogue):
    [(model_id,)] = catalogue.sql("select id from recsys.models where is_active")
    return JobQueue(engine, model_id, lease_seconds=300, max_attempts=2)


def ones(jobs):
    return np.ones((len(jobs), 384), np.float32)


def test_a_claim_holds_a_job_for_the_lease(catalogue, queue):
    items = catalogue.add("one", "two", "three")
    jobs = queue.claim(2)
    assert len(jobs) == 2
    assert len({job.lease_token for job in jobs}) == 2
    job = catalogue.job(jobs[0].item_id)
    assert (job.attempts, job.lease_token) == (1, jobs[0].lease_token)
    [(lease,)] = catalogue.sql(
        "select extract(epoch from max(available_at) - now()) from recsys.embedding_jobs"
    )
    assert 290 < lease <= 300
    assert {job.item_id for job in jobs + queue.claim(2)} == set(items)
    assert queue.claim(2) == []


def test_the_longest_due_is_claimed_first(catalogue, queue):
    items = catalogue.add("one", "two", "three")
    catalogue.sql(
        "update recsys.embedding_jobs set available_at = now() - interval '1 hour' where item_id = :id",
        id=items[1],
    )
    assert [job.item_id for job in queue.claim(1)] == [items[1]]


def test_after_the_lease_only_the_outcome_of_the_new_holder_counts(catalogue, queue):
    catalogue.add("one", "two")
    old = queue.claim(2)
    catalogue.make_due()
    new = queue.claim(2) + queue.claim(2)
    assert [job.attempts for job in new] == [2, 2]
    assert queue.complete(old, ones(old)) == Settled(done=0, put_back=0, lost=2)
    assert queue.fail(old[0], "too late") is None
    queue.release(old)
    assert [catalogue.job(job.item_id).lease_token for job in new] == [job.lease_token for job in new]
    assert len(catalogue.titles_without_vector()) == 2
    assert queue.complete(new, ones(new)) == Settled(done=2, put_back=0, lost=0)
    assert catalogue.jobs() == 0


def test_what_a_worker_died_with_is_claimed_alone(catalogue, queue):
    catalogue.add("one", "two", "three", "four")
    died = {job.item_id for job in queue.claim(3)}
    catalogue.make_due()
    alone = [queue.claim(4) for _ in range(3)]
    assert [len(jobs) for jobs in alone] == [1, 1, 1]
    assert {job.item_id for jobs in alone for job in jobs} == died
    assert [job.attempts for job in queue.claim(4)] == [1]  # the fourth, which nobody had
    # what was released is no suspect
    catalogue.add("five", "six")
    queue.release(queue.claim(2))
    assert len(queue.claim(2)) == 2


def test_what_killed_its_workers_is_given_up_and_its_mates_are_not(catalogue, queue):
    killer, *_ = catalogue.add("killer", "mate", "other mate")
    queue.claim(3)  # of which the worker dies; max_attempts is 2
    catalogue.make_due()
    assert queue.bury() == 0
    for _ in range(3):
        catalogue.make_due()
        [job] = queue.claim(3)
        if job.item_id != killer:
            queue.complete([job], ones([job]))
    assert catalogue.job(killer).attempts == 2
    catalogue.make_due()
    assert queue.claim(3) == []
    assert queue.bury() == 1
    dead = catalogue.job(killer)
    assert dead.failed_at is not None
    assert dead.last_error.startswith("Each of the 2 workers that had it ended without an outcome")
    assert catalogue.titles_without_vector() == ["killer"]
    assert catalogue.jobs() == 1


def test_completing_twice_is_harmless(catalogue, queue):
    catalogue.add("one")
    jobs = queue.claim(1)
    assert queue.complete(jobs, ones(jobs)).done == 1
    assert queue.complete(jobs, ones(jobs)) == Settled(done=0, put_back=0, lost=1)


def test_an_item_that_gets_a_text_is_not_dropped(catalogue, queue):
    item, _ = catalogue.add("", "  ")
    jobs = queue.claim(2)
    assert [job.content for job in jobs] == ["", ""]
    catalogue.sql(
        "set local session_replication_role = replica;"
        f"update recsys.items set title = 'text' where id = {item}"
    )
    assert queue.drop(jobs) == Settled(done=1, put_back=1, lost=0)
    assert catalogue.job(item).attempts == 0


def test_an_item_that_keeps_its_text_keeps_its_lease_through_a_change_of_price(catalogue, queue):
    catalogue.add("one")
    jobs = queue.claim(1)
    catalogue.sql("update recsys.items set price = 3")
    assert queue.complete(jobs, ones(jobs)).done == 1


def test_vectors_are_written_at_unit_length_under_their_model(catalogue, queue):
    catalogue.add("one")
    jobs = queue.claim(1)
    queue.complete(jobs, ones(jobs))
    [row] = catalogue.sql(
        "select vector_norm(embedding) as norm, embedding_model_id = m.id as is_model,"
        " embedding_content_hash = content_hash as is_content"
        " from recsys.items join recsys.models m on m.is_active"
    )
    assert row.norm == pytest.approx(1, abs=1e-6)
    assert row.is_model
    assert row.is_content


def test_after_the_clock_was_set_back_no_job_waits_for_the_time_to_come_again(catalogue, queue):
    catalogue.add("asked for in an hour", "leased for days", "tried again later")
    catalogue.sql(
        "update recsys.embedding_jobs set requested_at = now() + interval '1 hour',"
        " available_at = now() + interval '1 hour' where item_id = 1;"
        "update recsys.embedding_jobs set lease_token = gen_random_uuid(), attempts = 1,"
        " available_at = now() + interval '2 days' where item_id = 2;"
        "update recsys.embedding_jobs set attempts = 2, available_at = now() + interval '50 minutes'"
        " where item_id = 3"
    )
    assert queue.mend_times() == 2
    due = catalogue.sql("select item_id from recsys.embedding_jobs where available_at <= now() order by 1")
    assert due == [(1,), (2,)]
    assert queue.mend_times() == 0
