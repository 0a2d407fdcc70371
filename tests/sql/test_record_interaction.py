"""Writing through the SQL interface: record_interaction, ensure_user and the translation of keys."""

import time
from concurrent.futures import ThreadPoolExecutor

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


def twice_at_once(url, statement):
    """What the statement returns in two transactions, the second begun before the first commits."""
    with psycopg.connect(url) as first, psycopg.connect(url) as second, ThreadPoolExecutor() as pool:
        (first_result,) = first.execute(statement).fetchone()
        running = pool.submit(lambda: second.execute(statement).fetchone())
        waiting = "select count(*) from pg_locks where pid = %s and not granted"
        while not running.done() and first.execute(waiting, (second.info.backend_pid,)).fetchone() == (0,):
            time.sleep(0.01)
        assert not running.done()
        first.commit()
        return first_result, running.result()[0]


def test_an_event_sent_from_two_connections_at_once_is_recorded_once(catalogue_url):
    first, second = twice_at_once(
        catalogue_url, "select recsys_api.record_interaction(30, 1, 'purchase', event_id => 'order-1')"
    )
    assert first == second
    with psycopg.connect(catalogue_url) as connection:
        count = connection.execute("select count(*) from recsys.interactions where user_id = 30").fetchone()
    assert count == (1,)


def test_a_user_is_registered_once_from_two_connections_at_once(catalogue_url):
    first, second = twice_at_once(catalogue_url, "select recsys_api.ensure_user('new-customer')")
    assert first == second


def test_a_users_own_number_is_registered_once_from_two_connections_at_once(catalogue_url):
    assert twice_at_once(catalogue_url, "select recsys_api.ensure_user(user_id => 4711)") == (4711, 4711)


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
