"""Workers keep the taste vectors of users fresh."""

import pytest

from recsys_pg.embedding import Worker


@pytest.fixture
def shop(engine, catalogue, embedder):
    """Two embedded films and two users without tastes; nobody waits before a taste is computed."""
    catalogue.add("one", "two", "three")
    Worker(engine, embedder).run_once()
    catalogue.sql(
        "update recsys.settings set value = '0' where key = 'worker.taste_delay_seconds';"
        "insert into recsys.users (external_id) values ('anna'), ('ben')"
    )
    return catalogue


def like(shop, user: int, item: int):
    shop.sql("select recsys_api.record_interaction(:user, :item, 'like')", user=user, item=item)


def tastes(shop) -> list[int]:
    return [row.id for row in shop.sql("select id from recsys.users where embedding is not null order by id")]


def waiting(shop) -> list[int]:
    return [row.user_id for row in shop.sql("select distinct user_id from recsys.taste_changes order by 1")]


def refresh(shop, most: int = 100) -> int:
    return shop.sql("select recsys_api._refresh_due_tastes(:most)", most=most)[0][0]


def test_the_worker_computes_the_taste_of_who_did_something(engine, shop, embedder, running, wait_until):
    with running(Worker(engine, embedder, poll_seconds=0.05)):
        like(shop, 1, 1)
        wait_until(lambda: tastes(shop) == [1])
    assert waiting(shop) == []


def test_who_goes_on_waits_until_he_pauses_or_for_ten_times_as_long(shop):
    shop.sql("update recsys.settings set value = '60' where key = 'worker.taste_delay_seconds'")
    like(shop, 1, 1)
    like(shop, 2, 1)
    assert refresh(shop) == 0
    shop.sql("update recsys.taste_changes set changed_at = now() - interval '61 s' where user_id = 1")
    like(shop, 1, 2)
    assert refresh(shop) == 0
    shop.sql(
        "update recsys.taste_changes set changed_at = now() - interval '601 s'"
        " where id = (select min(id) from recsys.taste_changes where user_id = 1)"
    )
    assert refresh(shop) == 1
    assert tastes(shop) == [1]
    assert waiting(shop) == [2]


def test_after_the_clock_was_set_back_nobody_waits_for_the_time_to_come_again(shop):
    shop.sql("update recsys.settings set value = '60' where key = 'worker.taste_delay_seconds'")
    like(shop, 1, 1)
    shop.sql("update recsys.taste_changes set changed_at = now() + interval '1 hour'")
    assert refresh(shop) == 1


def test_no_more_than_asked_for_at_once_and_the_oldest_first(shop):
    like(shop, 2, 1)
    like(shop, 1, 1)
    assert refresh(shop, most=1) == 1
    assert waiting(shop) == [1]
    assert refresh(shop) == 1
    assert refresh(shop) == 0


def test_one_statement_notes_each_user_once(shop):
    shop.sql(
        "insert into recsys.interactions (user_id, item_id, kind)"
        " select u.id, i.id, 'like' from recsys.users u, recsys.items i"
    )
    assert shop.sql("select user_id from recsys.taste_changes order by 1") == [(1,), (2,)]


def test_what_is_taken_back_counts_too(shop):
    like(shop, 1, 1)
    refresh(shop)
    shop.sql("delete from recsys.interactions where user_id = 1")
    assert waiting(shop) == [1]
    assert refresh(shop) == 1
    assert tastes(shop) == []


def test_who_is_forgotten_leaves_no_trace(shop):
    like(shop, 1, 1)
    removed = dict(map(tuple, shop.sql("select * from recsys_api.forget_user(1)")))
    assert removed["recsys.taste_changes"] == 1
    assert waiting(shop) == []
    like(shop, 2, 1)
    shop.sql("delete from recsys.taste_changes")
    shop.sql("delete from recsys.users where id = 2")
    assert waiting(shop) == []


def test_who_computes_all_tastes_has_computed_these(shop):
    like(shop, 1, 1)
    shop.sql("select recsys_api.refresh_tastes()")
    assert waiting(shop) == []
    assert tastes(shop) == [1]


def test_while_all_tastes_are_computed_the_worker_lets_be(engine, shop):
    like(shop, 1, 1)
    with engine.begin() as connection:
        connection.exec_driver_sql("select pg_advisory_xact_lock(hashtext('recsys_api.refresh_tastes'))")
        assert refresh(shop) == 0
    assert refresh(shop) == 1


def test_two_who_record_for_the_same_people_do_not_wait_for_each_other(engine, shop):
    with engine.begin() as one, engine.begin() as other:
        for connection, users in ((one, (1, 2)), (other, (2, 1))):
            for user in users:
                connection.exec_driver_sql("set local lock_timeout = '1s'")
                connection.exec_driver_sql(
                    "insert into recsys.interactions (user_id, item_id, kind) values (%s, 1, 'like')", (user,)
                )
    assert waiting(shop) == [1, 2]
