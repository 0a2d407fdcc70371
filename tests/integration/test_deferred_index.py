"""A large load does without the vector index and has it built in the end, by whoever comes last."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa

from recsys_pg import db
from recsys_pg.deferred_index import build_deferred, built_last

INDEX = "select i.indisvalid from pg_index i where i.indexrelid = to_regclass('recsys.items_embedding_idx')"


@pytest.fixture
def ask(engine):
    """Rows of a statement in a transaction of its own."""

    def run(statement: str):
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return result.all() if result.returns_rows else []

    return run


def fill(ask, items: int) -> None:
    ask(
        "insert into recsys.items (title, embedding) select 'item ' || g,"
        " (select array_agg(sin(g * n::double precision)) from generate_series(1, 384) n)::vector"
        f" from generate_series(1, {items}) g"
    )


def test_the_index_is_there_again_as_it_was(engine, ask):
    ask("alter index recsys.items_embedding_idx set (ef_construction = 77)")
    [(before,)] = ask("select pg_get_indexdef('recsys.items_embedding_idx'::regclass)")
    calls = []
    with built_last(engine, 5_000, lambda *call: calls.append(call)) as is_deferred:
        assert is_deferred
        assert ask(INDEX) == []
        fill(ask, 200)
    assert ask(INDEX) == [(True,)]
    assert ask("select pg_get_indexdef('recsys.items_embedding_idx'::regclass)") == [(before,)]
    assert ask("select from recsys.deferred_indexes") == []


@pytest.mark.parametrize(
    ("there", "rows", "is_worth"), [(0, 4_999, False), (0, 5_000, True), (20, 10, False)]
)
def test_only_a_large_load_does_without(engine, ask, there, rows, is_worth):
    fill(ask, there)
    with built_last(engine, rows) as is_deferred:
        assert is_deferred == is_worth
        assert (ask(INDEX) == []) == is_worth


def test_a_catalogue_that_is_searched_by_the_index_keeps_it(engine, ask, monkeypatch):
    monkeypatch.setattr("recsys_pg.deferred_index._MOST_WITHOUT", 10)
    fill(ask, 11)
    with built_last(engine, 5_000) as is_deferred:
        assert not is_deferred


def test_an_error_leaves_the_index_to_the_next_load(engine, ask):
    with pytest.raises(KeyError), built_last(engine, 5_000):
        raise KeyError
    assert ask(INDEX) == []
    fill(ask, 20)
    # even one that is not large
    with built_last(engine, 1) as is_deferred:
        assert is_deferred
    assert ask(INDEX) == [(True,)]
    assert not build_deferred(engine)


def test_of_several_loads_the_last_builds(engine, ask):
    entered, leave = threading.Barrier(2, timeout=30), threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def load():
            with built_last(engine, 5_000):
                entered.wait()
                leave.wait(30)

        other = pool.submit(load)
        entered.wait()
        with built_last(engine, 5_000) as is_deferred:
            assert is_deferred
        assert ask(INDEX) == []
        assert not build_deferred(engine)
        leave.set()
        other.result()
    assert ask(INDEX) == [(True,)]


def test_what_a_killed_build_left_is_built_anew(engine, ask, url):
    fill(ask, 50)
    with pytest.raises(KeyError), built_last(engine, 5_000):
        raise KeyError
    # a build that fails leaves an index that is not valid
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        connection.execute("set statement_timeout = '30ms'")
        with psycopg.connect(**db.connection_parameters(url)) as writer:
            writer.execute("lock table recsys.items in row exclusive mode")
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute(
                    "create index concurrently items_embedding_idx on recsys.items"
                    " using hnsw (embedding vector_cosine_ops)"
                )
    assert ask(INDEX) == [(False,)]
    assert build_deferred(engine)
    assert ask(INDEX) == [(True,)]


def test_where_the_table_is_in_use_the_index_is_kept(engine, ask, url, monkeypatch):
    monkeypatch.setattr("recsys_pg.deferred_index._LOCK_TIMEOUT", "50ms")
    with psycopg.connect(**db.connection_parameters(url)) as reader:
        reader.execute("select from recsys.items")
        with built_last(engine, 5_000) as is_deferred:
            assert not is_deferred
    assert ask(INDEX) == [(True,)]


def test_searches_find_all_meanwhile_by_their_codes(engine, ask):
    fill(ask, 300)
    search = (
        "select array_agg(s.item_id order by s.rank) from recsys_api.search_items("
        "(select embedding from recsys.items where id = 7), 10) s"
    )
    found = ask(search)
    with pytest.raises(KeyError), built_last(engine, 5_000):
        raise KeyError
    assert ask(search) == found
    steps = search.replace("search_items", "explain_search").replace(
        "s.item_id order by s.rank", "s.strategy"
    )
    assert ask(steps) == [(["code_scan"],)]
