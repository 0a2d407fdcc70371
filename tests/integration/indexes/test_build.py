"""Building and dropping search indexes: while the shop is open, and after every kind of interruption."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from recsys_pg import db
from recsys_pg.errors import DatabaseError, DatabaseUnavailableError, InvalidArgumentError
from recsys_pg.indexes import IndexCondition, build, build_for, drop, foreign_invalid_indexes, listing
from recsys_pg.types import ItemFilter

PROGRAM = Path(sys.executable).with_name("recsys-pg")
C3 = IndexCondition(category="c3")


def state(engine):
    (index,) = listing(engine)
    return index.state


def oid(session, name):
    return session.execute("select to_regclass('recsys.' || %s)::oid", (name,)).fetchone()[0]


@pytest.fixture
def old_transaction(shop_url):
    """A transaction that began before the build, for which PostgreSQL keeps it waiting."""
    with psycopg.connect(shop_url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select count(*) from recsys.items where id < 10")
        yield connection
        connection.rollback()


def wait_for_builder(session) -> int:
    """The server process of a build that has begun and waits."""
    for _ in range(300):
        row = session.execute(
            "select pid from pg_stat_progress_create_index where phase like 'waiting%'"
        ).fetchone()
        if row:
            return row[0]
        time.sleep(0.05)
    raise AssertionError("no build began")


def in_thread(work):
    """Start work in a thread; the function returned waits for it and gives its error, if it had one."""
    errors: list[Exception | None] = [None]

    def run():
        try:
            work()
        except Exception as error:
            errors[0] = error

    thread = threading.Thread(target=run)
    thread.start()

    def wait():
        thread.join(60)
        return errors[0]

    return wait


@pytest.mark.parametrize(
    ("filter", "rows"),
    [
        (ItemFilter(categories=("c3",)), 450),
        (ItemFilter(tags=("t2", "even")), 500),
        (ItemFilter(attributes={"size": 2}), 1250),
        (ItemFilter(rule="third"), 1667),
        (ItemFilter(categories=("c3",), tags=("odd",)), 450),
    ],
)
def test_an_index_is_built_and_searches_get_it(shop, other_session, filter, rows):
    index = build_for(shop, filter)
    assert (index.state, index.rows) == ("ready", rows)
    assert index.verdict == "keep"
    assert index.size_bytes > rows * 1_500
    with shop.connect() as connection:
        driver = db.driver_connection(connection)
        (predicate,) = driver.execute(
            "select recsys_api._search_index(recsys_api.item_filter(%s::text[], tags => %s::text[],"
            " attributes => %s::jsonb, rule => %s))",
            (
                list(filter.categories) if filter.categories else None,
                list(filter.tags) if filter.tags else None,
                psycopg.types.json.Jsonb(filter.attributes) if filter.attributes else None,
                filter.rule,
            ),
        ).fetchone()
        driver.execute("set enable_sort = off")
        plan = driver.execute(
            "explain select item.id from recsys.items item where item.embedding is not null"
            f" and ({predicate}) order by item.embedding"
            " <=> (select embedding from recsys.items where id = 1) limit 10".encode()
        ).fetchall()
    assert any(f"using {index.index_name}" in line for (line,) in plan)


def test_a_category_with_quotes_and_backslashes_is_indexed(shop, other_session):
    (awkward,) = other_session.execute("select category from recsys.items where id = 1").fetchone()
    index = build_for(shop, ItemFilter(categories=(awkward,)))
    assert index.rows == 500
    assert index.condition == IndexCondition(category=awkward)


def test_progress_is_told(shop, old_transaction, other_session):
    told = []

    def progress(phase, done, total):
        told.append((phase, done, total))
        if phase.partition(": ")[2].startswith("waiting"):
            old_transaction.rollback()

    index = build_for(shop, ItemFilter(tags=("t2",)), progress=progress)
    assert {phase.partition(": ")[0] for phase, _, _ in told} == {index.index_name}
    assert any("waiting" in phase for phase, _, _ in told)


def test_a_ready_index_is_left_as_it_is(shop, other_session):
    first = build_for(shop, ItemFilter(categories=("c3",)))
    before = oid(other_session, first.index_name)
    (again,) = build(shop, [C3])
    assert again == first
    assert oid(other_session, first.index_name) == before


def test_items_are_written_while_an_index_is_built(shop, shop_url, old_transaction, other_session):
    wait = in_thread(lambda: build(shop, [C3]))
    wait_for_builder(other_session)
    other_session.execute("set statement_timeout = '10s'")
    other_session.execute(
        "insert into recsys.items (id, title, category, embedding)"
        " select 100000, 'New', 'c3', embedding from recsys.items where id = 503"
    )
    other_session.execute("update recsys.items set price = 3, in_stock = false where category = 'c3'")
    other_session.execute("delete from recsys.items where id = 513")
    old_transaction.rollback()
    assert wait() is None
    assert state(shop) == "ready"
    other_session.execute("set enable_sort = off; set enable_seqscan = off; set hnsw.ef_search = 1000")
    (found,) = other_session.execute(
        "select array_agg(n.id) from (select id from recsys.items where embedding is not null"
        " and category = 'c3' order by embedding <=> (select embedding from recsys.items where id = 503)"
        " limit 1000) n"
    ).fetchone()
    assert 100000 in found
    assert 513 not in found
    assert len(found) == 450


def test_two_builders_do_not_get_into_each_others_way(shop, old_transaction, other_session, monkeypatch):
    monkeypatch.setattr("recsys_pg.indexes.connection._PATIENCE_SECONDS", 0.5)
    wait = in_thread(lambda: build(shop, [C3]))
    pid = wait_for_builder(other_session)
    assert state(shop) == "building"
    with pytest.raises(DatabaseError, match=f"being built or dropped \\(server process {pid}\\)"):
        build_for(shop, ItemFilter(tags=("t2",)))
    with pytest.raises(DatabaseError, match="being built or dropped"):
        drop(shop, listing(shop)[0].index_name)
    old_transaction.rollback()
    assert wait() is None
    assert [index.condition for index in listing(shop)] == [C3]
    build_for(shop, ItemFilter(tags=("t2",)))


def test_a_build_whose_server_process_is_killed_is_repaired_by_the_next(shop, old_transaction, other_session):
    wait = in_thread(lambda: build(shop, [C3]))
    pid = wait_for_builder(other_session)
    other_session.execute("select pg_terminate_backend(%s)", (pid,))
    assert isinstance(wait(), DatabaseUnavailableError)
    (index,) = listing(shop)
    assert (index.state, index.verdict) == ("unfinished", "build")
    leftover = oid(other_session, index.index_name)
    assert leftover is not None
    assert foreign_invalid_indexes(shop) == []
    assert other_session.execute(
        "select recsys_api._search_index(recsys_api.item_filter('{c3}'))"
    ).fetchone() == (None,)

    old_transaction.rollback()
    (index,) = build(shop, [C3])
    assert (index.state, index.rows) == ("ready", 450)
    assert oid(other_session, index.index_name) != leftover


def test_ctrl_c_leaves_what_the_next_run_repairs(shop, shop_url, old_transaction, other_session):
    for _ in range(3):
        other_session.execute(
            "select recsys_api._sample_filter(recsys_api.item_filter('{c3}'), 'code_scan', null, 5000)"
        )
    environment = os.environ | {"RECSYS_PG_DATABASE_URL": shop_url}
    command = [PROGRAM, "indexes", "build", "--all"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    wait_for_builder(other_session)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "Interrupted.\n")
    assert other_session.execute("select count(*) from pg_stat_progress_create_index").fetchone() == (0,)
    assert state(shop) == "unfinished"

    old_transaction.rollback()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "category c3" in again.stdout
    assert state(shop) == "ready"


def test_an_index_that_was_completed_but_not_written_down_is_kept(shop, other_session):
    index = build_for(shop, ItemFilter(categories=("c3",)))
    other_session.execute(
        "update recsys.search_indexes set is_ready = false, built_at = null, built_rows = null"
    )
    before = oid(other_session, index.index_name)
    assert state(shop) == "unfinished"
    (index,) = build(shop, [C3])
    assert (index.state, index.rows) == ("ready", 450)
    assert oid(other_session, index.index_name) == before


def test_an_index_that_somebody_dropped_is_noticed_and_built_anew(shop, other_session):
    index = build_for(shop, ItemFilter(categories=("c3",)))
    other_session.execute(f"drop index recsys.{index.index_name}".encode())
    assert state(shop) == "gone"
    build(shop, [listing(shop)[0].condition])
    assert state(shop) == "ready"


def test_an_index_of_another_hand_is_named_and_not_touched(shop, other_session):
    index = build_for(shop, ItemFilter(categories=("c3",)))
    other_session.execute("delete from recsys.search_indexes")
    before = oid(other_session, index.index_name)
    with pytest.raises(DatabaseError, match=rf"recsys\.{index.index_name} exists.*drop index concurrently"):
        build(shop, [C3])
    assert oid(other_session, index.index_name) == before

    other_session.execute("update pg_index set indisvalid = false where indexrelid = %s", (before,))
    assert foreign_invalid_indexes(shop) == [f"recsys.{index.index_name}"]


def test_a_build_that_gets_no_shared_memory_goes_on_without_workers(shop):
    index = build_for(shop, ItemFilter(tags=("t2",)), memory_mb=1_900_000, workers=2)
    assert (index.state, index.rows) == ("ready", 1000)


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        (ItemFilter(), "sets no condition"),
        (ItemFilter(attributes={}, tags=()), "sets no condition"),
        (
            ItemFilter(categories=("c3",), in_stock=True, max_price=3),
            "has in_stock, max_price, which no vector",
        ),
        (ItemFilter(item_ids=(1,)), "has item_ids"),
        (ItemFilter(categories=("c3", "c4")), "has 2 categories, an index has one"),
        (ItemFilter(categories=()), "has 0 categories"),
        (ItemFilter(rule="unknown"), "rule 'unknown' does not exist"),
        (ItemFilter(rule="cheap"), "rule 'cheap', which reads price"),
        (ItemFilter(rule="recent"), "rule 'recent': functions in index predicate must be marked IMMUTABLE"),
        (ItemFilter(rule="joined"), "rule 'joined': cannot use subquery in index predicate"),
    ],
)
def test_a_filter_that_no_index_can_have_is_refused(shop, filter, message):
    with pytest.raises(InvalidArgumentError, match=message):
        build_for(shop, filter)
    assert listing(shop) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"memory_mb": 0}, "memory_mb is 0"), ({"workers": -1}, "workers is -1"), ({"workers": 2000}, "2000")],
)
def test_numbers_out_of_range_are_refused(shop, options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        build(shop, [C3], **options)


def test_dropping_removes_the_index_and_its_record(shop, other_session):
    index = build_for(shop, ItemFilter(categories=("c3",)))
    drop(shop, index.index_name)
    assert listing(shop) == []
    assert oid(other_session, index.index_name) is None


def test_dropping_removes_what_an_interrupted_build_left(shop, old_transaction, other_session):
    wait = in_thread(lambda: build(shop, [C3]))
    other_session.execute("select pg_terminate_backend(%s)", (wait_for_builder(other_session),))
    wait()
    old_transaction.rollback()
    (index,) = listing(shop)
    drop(shop, index.index_name)
    assert oid(other_session, index.index_name) is None


def test_dropping_what_is_not_there_lists_what_is(shop, other_session):
    with pytest.raises(InvalidArgumentError, match="no partial index 'x'"):
        drop(shop, "x")
    index = build_for(shop, ItemFilter(categories=("c3",)))
    with pytest.raises(InvalidArgumentError, match=f"There are: {index.index_name}"):
        drop(shop, "items_embedding_idx")
    assert oid(other_session, "items_embedding_idx") is not None


def test_a_build_leaves_nothing_in_the_pool(shop):
    build_for(shop, ItemFilter(categories=("c3",)), memory_mb=77, workers=1)
    with shop.connect() as connection:
        driver = db.driver_connection(connection)
        assert driver.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,)
        assert driver.execute("show maintenance_work_mem").fetchone() != ("77MB",)


def test_an_index_is_built_as_that_of_all_items_is(shop, other_session):
    options = "select reloptions from pg_class where oid = to_regclass('recsys.' || %s)"
    other_session.execute("alter index recsys.items_embedding_idx set (ef_construction = 77)")
    index = build_for(shop, ItemFilter(categories=("c3",)))
    assert other_session.execute(options, (index.index_name,)).fetchone() == (["ef_construction=77"],)
    drop(shop, index.index_name)
    other_session.execute("drop index recsys.items_embedding_idx")
    index = build_for(shop, ItemFilter(categories=("c3",)))
    assert other_session.execute(options, (index.index_name,)).fetchone() == (["ef_construction=200"],)


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ("select 1", "keep", "new: not used yet"),
        (
            "update recsys.settings set value = '1500' where key = 'search.scan_limit'",
            "drop",
            "a scan of 450 codes",
        ),
        (
            "update recsys.items set embedding = null where category <> 'c3' and id < 4700",
            "drop",
            "more than half",
        ),
        (
            "update recsys.search_indexes set built_at = now() - interval '8 days'",
            "drop",
            "not used here since",
        ),
    ],
    ids=["new", "few", "half", "unused"],
)
def test_the_listing_says_whether_an_index_is_worth_keeping(shop, other_session, change, verdict, reason):
    build_for(shop, ItemFilter(categories=("c3",)))
    other_session.execute(change.encode())
    (index,) = listing(shop)
    assert index.verdict == verdict
    assert reason in index.reason


def test_the_listing_counts_uses(shop, other_session):
    index = build_for(shop, ItemFilter(categories=("c3",)))
    other_session.execute("set enable_sort = off")
    for _ in range(3):
        other_session.execute(
            "select id from recsys.items where embedding is not null and category = 'c3'"
            " order by embedding <=> (select embedding from recsys.items where id = 1) limit 10"
        )
    other_session.execute("select pg_stat_force_next_flush()")
    other_session.execute("select 1")
    (index,) = listing(shop)
    assert (index.scans, index.verdict) == (3, "keep")
    assert index.reason.startswith("used 3 times")


def test_an_index_for_a_rule_that_changed_is_to_be_dropped(shop, other_session):
    build_for(shop, ItemFilter(rule="third"))
    other_session.execute(
        "update recsys.filter_rules set canonical = '((item.id % 3) = 1)' where name = 'third'"
    )
    (index,) = listing(shop)
    assert (index.state, index.verdict) == ("outdated", "drop")
    assert "rule third has changed" in index.reason
    build_for(shop, ItemFilter(rule="third"))
    assert sorted(each.state for each in listing(shop)) == ["outdated", "ready"]
