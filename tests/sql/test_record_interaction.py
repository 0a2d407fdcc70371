"""Writing through the SQL interface: record_interaction, ensure_user and the translation of keys."""

import threading

import psycopg
import pytest


def test_an_interaction_is_recorded_as_given(catalogue):
    (interaction_id,) = catalogue.execute(
        "select recsys_api.record_interaction(30, 1, 'rating', value => 4.5, event_id => 'order-1',"
        " occurred_at => '2025-12-24 18:00+00')"
    ).fetchone()
    row = catalogue.execute(
        "select user_id, item_id, kind, value, event_id, occurred_at = '2025-12-24 18:00+00'"
        " from recsys.interactions where id = %s",
        (interaction_id,),
    ).fetchone()
    assert row == (30, 1, "rating", 4.5, "order-1", True)


def test_the_time_is_now_unless_given(catalogue):
    catalogue.execute("select recsys_api.record_interaction(30, 1, 'view')")
    assert catalogue.execute(
        "select occurred_at = now() from recsys.interactions where user_id = 30"
    ).fetchone() == (True,)


def test_the_same_interaction_may_be_recorded_again_without_an_event_id(catalogue):
    first, second = (
        catalogue.execute("select recsys_api.record_interaction(30, 1, 'view')").fetchone() for _ in range(2)
    )
    assert first != second


def test_a_repeated_event_is_recorded_once_and_gives_the_first_id(catalogue):
    record = "select recsys_api.record_interaction(30, 1, 'purchase', event_id => 'order-1')"
    first, second = (catalogue.execute(record).fetchone() for _ in range(2))
    assert first == second
    assert catalogue.execute("select count(*) from recsys.interactions where user_id = 30").fetchone() == (1,)


@pytest.mark.parametrize("other", ["29, 1, 'purchase'", "30, 2, 'purchase'", "30, 1, 'like'"])
def test_an_event_id_of_another_interaction_is_refused(catalogue, other):
    catalogue.execute("select recsys_api.record_interaction(30, 1, 'purchase', event_id => 'order-1')")
    with pytest.raises(psycopg.Error, match="'order-1' was recorded before, for user 30, item 1") as raised:
        catalogue.execute(f"select recsys_api.record_interaction({other}, event_id => 'order-1')")
    assert raised.value.sqlstate == "RS012"


def concurrently(url, statement, connections=4):
    """What the statement returns, run in as many transactions that all begin before the first commits."""
    results, ready = [], threading.Barrier(connections)

    def run():
        with psycopg.connect(url) as connection:
            connection.execute("select 1")
            ready.wait()
            results.append(connection.execute(statement).fetchone()[0])

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_an_event_sent_from_several_connections_at_once_is_recorded_once(catalogue_url):
    ids = concurrently(
        catalogue_url, "select recsys_api.record_interaction(30, 1, 'purchase', event_id => 'order-1')"
    )
    assert len(ids) == 4
    assert len(set(ids)) == 1
    with psycopg.connect(catalogue_url) as connection:
        count = connection.execute("select count(*) from recsys.interactions where user_id = 30").fetchone()
    assert count == (1,)


def test_an_event_whose_first_sender_has_not_committed_waits_for_it(catalogue_url):
    record = "select recsys_api.record_interaction(30, 1, 'purchase', event_id => 'order-1')"
    with psycopg.connect(catalogue_url) as first, psycopg.connect(catalogue_url) as second:
        (first_id,) = first.execute(record).fetchone()
        second.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute(record)
        second.rollback()
        first.commit()
        assert second.execute(record).fetchone() == (first_id,)


def test_a_user_is_registered_once_from_several_connections_at_once(catalogue_url):
    ids = concurrently(catalogue_url, "select recsys_api.ensure_user('new-customer')")
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_ensure_user_gives_the_id_of_a_known_user(catalogue):
    assert catalogue.execute("select recsys_api.ensure_user('person-7')").fetchone() == (7,)
    assert catalogue.execute("select recsys_api.ensure_user(user_id => 7)").fetchone() == (7,)


def test_ensure_user_registers_a_number_of_the_applications_own(catalogue):
    assert catalogue.execute("select recsys_api.ensure_user(user_id => 4711)").fetchone() == (4711,)
    assert catalogue.execute("select count(*) from recsys.users where id = 4711").fetchone() == (1,)


def test_ensure_user_says_how_to_go_on_when_the_next_generated_id_is_taken(catalogue):
    catalogue.execute("select recsys_api.ensure_user(user_id => 31)")
    with pytest.raises(psycopg.Error, match="the next generated user id is taken") as raised:
        catalogue.execute("select recsys_api.ensure_user('somebody')")
    assert raised.value.sqlstate == "RS010"
    remedy = raised.value.diag.message_hint.removeprefix("Run: ")
    catalogue.rollback()
    catalogue.execute("select recsys_api.ensure_user(user_id => 31)")
    catalogue.execute(remedy.encode())
    assert catalogue.execute("select recsys_api.ensure_user('somebody')").fetchone() == (32,)


def test_the_applications_own_keys_are_translated(catalogue):
    assert catalogue.execute("select recsys_api.item_id('film-12')").fetchone() == (12,)
    assert catalogue.execute("select recsys_api.user_id('person-12')").fetchone() == (12,)
