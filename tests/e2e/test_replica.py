"""Reads scale over replicas: the same rows on a hot standby, as the application's role."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from recsys_pg import db, embedded, schema

QUERIES = (
    "select * from recsys_api.recommend_for_user(recsys_api.user_id('anna'), n => 5)",
    "select * from recsys_api.recommend_for_user(recsys_api.user_id('anna'), diversity => 0.5)",
    "select * from recsys_api.recommend_for_user(recsys_api.user_id('anna'), method => 'user_based')",
    "select * from recsys_api.recommend_for_items(array[2, 3], 8, recsys_api.item_filter(in_stock => true))",
    "select * from recsys_api.similar_items(1)",
    "select * from recsys_api.search_items((select embedding from recsys.items where id = 3), n => 4)",
    "select * from recsys_api.search_text('item 7', 4, recsys_api.item_filter(in_stock => true))",
    "select * from recsys_api.search_text('kept', n => 4)",
    "select * from recsys_api.popular_items()",
    "select * from recsys_api.similar_users(1)",
    "select * from recsys_api.explain_recommendation(1, 5)",
    "select * from recsys_api._sample_filter(recsys_api.item_filter('{c1}'), 'exact', 5, 3.2)",
    "select * from recsys_api._search_index(recsys_api.item_filter('{c1}'))",
)

SEARCHES = {
    "index_walk": "4, null",
    "exact": "4, recsys_api.item_filter(max_price => 5)",
    "code_scan": "4, recsys_api.item_filter(max_price => 12)",
    "full_scan": "100, recsys_api.item_filter(rule => 'titled')",
    "partial_index": "2, recsys_api.item_filter('{c1}')",
}

CATALOGUE = """
insert into recsys.items (title, category, price, embedding)
select 'item ' || i, 'c' || i % 3, i,
    (select array_agg(sin(i * 0.7 + d * 0.1 * (i % 4 + 1))) from generate_series(1, 384) d)::vector
from generate_series(1, 70) i;
insert into recsys.users (external_id) values ('anna'), ('ben'), ('cleo');
insert into recsys.interactions (user_id, item_id, kind)
select u, i, 'like' from generate_series(1, 3) u, generate_series(1, 12) i where (u + i) % 3 <> 0;
select recsys_api.refresh_popularity(), recsys_api.refresh_tastes();
update recsys.settings set value = '100' where key = 'search.ef_search';
update recsys.settings set value = '5' where key = 'search.exact_limit';
update recsys.settings set value = '60' where key = 'search.scan_limit';
select recsys_api.define_rule('titled', 'title like ''item %''');
insert into recsys.search_indexes (index_name, category, predicate, is_ready, built_at)
values ('items_embedding_00000001_idx', 'c1', 'item.category = ''c1''', true, now());
create index items_embedding_00000001_idx on recsys.items using hnsw (embedding vector_cosine_ops)
    where category = 'c1';
select recsys_api.remember_query('kept', (select embedding from recsys.items where id = 3));
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    """URLs of a primary with a small catalogue and of its hot standby, as role recsys_app."""
    if os.environ.get("RECSYS_PG_TEST_DATABASE_URL") or os.environ.get("TEST_POSTGRES"):
        pytest.skip("a standby is made of the embedded server only")
    # not below pytest's folder, which every pytest that starts closes to the server's own user
    folder = Path(tempfile.mkdtemp(prefix="recsys_pg_test_"))
    primary = embedded.start(folder / "primary", on_exit="delete")
    schema.migrate(db.create_engine(primary.url, poolclass=sa.NullPool))
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute(CATALOGUE)

    parameters = db.connection_parameters(primary.url)
    command = [
        primary.bin_dir / "pg_basebackup",
        "-h",
        parameters["host"],
        "-U",
        "postgres",
        "-D",
        "data",
        "-R",
        "-c",
        "fast",
    ]
    standby_folder = folder / "standby"
    standby_folder.mkdir()
    owner = (folder / "primary").stat()
    os.chown(standby_folder, owner.st_uid, owner.st_gid)
    as_owner = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    subprocess.run([str(part) for part in command], cwd=standby_folder, check=True, **as_owner)
    (standby_folder / "data" / ".s.PGSQL.5432.lock").unlink(missing_ok=True)  # the primary's, copied along
    standby = embedded.start(standby_folder / "data", on_exit="delete")
    yield _as_app(primary.url), _as_app(standby.url)
    standby.stop()
    primary.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _as_app(url: str) -> str:
    return url.replace("//postgres:", "//recsys_app:")


def _rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("query", QUERIES)
def test_a_standby_gives_the_same_rows(servers: tuple[str, str], query: str) -> None:
    primary, standby = servers
    expected = _rows(primary, query)
    assert expected
    assert _rows(standby, query) == expected


@pytest.mark.parametrize("strategy", SEARCHES)
def test_a_standby_searches_by_the_same_strategy(servers: tuple[str, str], strategy: str) -> None:
    primary, standby = servers
    arguments = f"((select embedding from recsys.items where id = 3), {SEARCHES[strategy]})"
    steps = f"select strategy, rows_compared, rows_passing from recsys_api.explain_search{arguments}"
    expected = _rows(primary, steps)
    assert expected[-1][0] == strategy
    assert _rows(standby, steps) == expected
    search = f"select * from recsys_api.search_items{arguments}"
    assert _rows(standby, search) == _rows(primary, search)


def test_an_interaction_reaches_the_standby(servers: tuple[str, str]) -> None:
    primary, standby = servers
    query = "select item_id from recsys_api.recommend_for_user(2, n => 40)"
    before = _rows(standby, query)
    liked = before[0][0]
    with psycopg.connect(primary) as connection:
        connection.execute("select recsys_api.record_interaction(2, %s, 'like')", [liked])
    expected = _rows(primary, query)
    assert (liked,) not in expected
    deadline = time.monotonic() + 10
    while _rows(standby, query) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _rows(standby, query) == expected


def test_a_standby_refuses_to_record(servers: tuple[str, str]) -> None:
    _, standby = servers
    with psycopg.connect(standby) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("select recsys_api.record_interaction(1, 1, 'view')")


def test_a_standby_searches_new_texts_by_meaning_and_keeps_none(servers: tuple[str, str]) -> None:
    _, standby = servers
    vector = "(select embedding from recsys.items where id = 3)"
    with psycopg.connect(standby) as connection:
        (kept,) = connection.execute(f"select recsys_api.remember_query('new', {vector})").fetchone()
        assert kept is False
        assert connection.execute("select recsys_api._use_query('kept')").fetchone() == (True,)
        (row, *_) = connection.execute(
            f"select item_id, reason from recsys_api.search_text('zzz', query_embedding => {vector})"
        ).fetchall()
        assert row == (3, "meaning")
