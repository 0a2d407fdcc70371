"""Searches behind a transaction-pooling proxy: clients that share a server connection do not meet in it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from recsys_pg import db

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PREPARES_SINCE = (1, 21)  # max_prepared_statements

CATALOGUE = """
insert into recsys.items (title, category, price, embedding)
select 'item ' || i, 'c' || i % 3, i,
    (select array_agg(sin(i * 0.7 + d * 0.1 * (i % 4 + 1))) from generate_series(1, 384) d)::vector
from generate_series(1, 300) i;
insert into recsys.users (external_id) values ('anna'), ('ben');
insert into recsys.interactions (user_id, item_id, kind)
select u, i, 'like' from generate_series(1, 2) u, generate_series(1, 12) i where (u + i) % 3 <> 0;
select recsys_api.refresh_popularity(), recsys_api.refresh_tastes();
update recsys.settings set value = '20' where key = 'search.exact_limit';
update recsys.settings set value = '150' where key = 'search.scan_limit';
"""
QUERY = "(select embedding from recsys.items where id = %(item)s)"
FILTER = "recsys_api.item_filter(%(categories)s::text[], max_price => %(price)s::numeric)"
STATEMENTS = (
    f"select item_id from recsys_api.search_items({QUERY}, 7, {FILTER})",
    f"select step, strategy, rows_passing from recsys_api.explain_search({QUERY}, 7, {FILTER})",
    f"select item_id from recsys_api.similar_items(%(item)s, 7, {FILTER})",
    f"select item_id, reason from recsys_api.recommend_for_user(%(item)s %% 2 + 1, 7, {FILTER})",
)
FILTERS = (
    {"categories": None, "price": None},
    {"categories": ["c1"], "price": None},
    {"categories": ["c0", "c2"], "price": 290},
    {"categories": None, "price": 12},
    {"categories": None, "price": 40},
    {"categories": [], "price": None},
)


def version() -> tuple[int, ...]:
    output = subprocess.run([str(PGBOUNCER), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", output)
    assert found
    return tuple(map(int, found.groups()))


@pytest.fixture(scope="module")
def catalogue_url(server_url: str, template: str) -> Iterator[str]:
    """A catalogue of 300 items, of which hundreds are many."""
    parameters = db.connection_parameters(server_url)
    name = f"{template}_pooled"
    url = make_conninfo(**parameters | {"dbname": name})
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"')
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CATALOGUE)
        connection.execute("vacuum analyze")
    yield url
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture(scope="module", params=[0, 20], ids=["no prepared statements", "prepared statements"])
def pooled_url(request: pytest.FixtureRequest, catalogue_url: str) -> Iterator[str]:
    """The same database through PgBouncer, which has one connection to the server."""
    if not PGBOUNCER:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    if request.param and version() < PREPARES_SINCE:
        pytest.skip(f"pgbouncer {version()} cannot keep prepared statements, {PREPARES_SINCE} and later can")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parameters = db.connection_parameters(catalogue_url)
    target = " ".join(
        f"{name}='{value}'"
        for name, value in parameters.items()
        if name in ("host", "port", "user", "password", "dbname")
    )
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": 1,
        "ignore_startup_parameters": "extra_float_digits",
        **({"max_prepared_statements": request.param} if version() >= PREPARES_SINCE else {}),
    }
    folder = Path(tempfile.mkdtemp(prefix="recsys_pg_test_"))
    folder.chmod(0o755)
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\npooled = {target}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in settings.items())
    )
    configuration.chmod(0o644)
    # it refuses to run as root; the embedded server's socket is open to its owner alone
    host = str(parameters.get("host", ""))
    owner = Path(host).stat().st_uid if host.startswith("/") else "nobody"
    as_other = {"user": owner} if os.geteuid() == 0 else {}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PGBOUNCER, str(configuration)], stdout=log, stderr=subprocess.STDOUT, **as_other
        )
        url = f"host=127.0.0.1 port={port} dbname=pooled user=anyone"
        try:
            yield _answering(url, process, folder / "log")
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(folder)


def _answering(url: str, process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return url
    pytest.fail(f"pgbouncer does not answer: {log.read_text()}")


@pytest.fixture
def clients(
    request: pytest.FixtureRequest, pooled_url: str
) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two clients of the proxy, which prepare every statement if it can keep them."""
    threshold = None if "no prepared" in request.node.name else 0
    with (
        psycopg.connect(pooled_url, autocommit=True, prepare_threshold=threshold) as one,
        psycopg.connect(pooled_url, autocommit=True, prepare_threshold=threshold) as two,
    ):
        yield one, two


def test_the_clients_share_one_connection_to_the_server(
    request: pytest.FixtureRequest, clients: tuple[psycopg.Connection, psycopg.Connection]
) -> None:
    pids = {client.execute("select pg_backend_pid()").fetchone() for client in clients for _ in range(3)}
    assert len(pids) == 1
    (prepared,) = clients[0].execute("select count(*) from pg_prepared_statements").fetchone()
    assert (prepared > 0) == ("no prepared" not in request.node.name)


def test_each_client_finds_what_it_finds_without_the_proxy(
    clients: tuple[psycopg.Connection, psycopg.Connection], catalogue_url: str
) -> None:
    searches = [
        (statement, {"item": item, **filter})
        for item in (3, 50, 200)
        for filter in FILTERS
        for statement in STATEMENTS
    ]
    with psycopg.connect(catalogue_url, autocommit=True) as direct:
        expected = [direct.execute(*search).fetchall() for search in searches]
    strategies = {row[1] for (statement, _), rows in zip(searches, expected, strict=True)
                  if "explain" in statement for row in rows}  # fmt: skip
    assert strategies == {"exact", "index_walk", "code_scan"}
    one, two = clients
    for i, (search, other) in enumerate(zip(searches, reversed(searches), strict=True)):
        assert one.execute(*search).fetchall() == expected[i]
        assert two.execute(*other).fetchall() == expected[-1 - i]


def test_a_search_leaves_no_setting_behind(
    clients: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    one, two = clients
    settings = "select name, setting from pg_settings where source = 'session' order by 1"
    one.execute("select '[1]'::vector")  # from now on the server's connection knows hnsw.*
    before = two.execute(settings).fetchall()
    for statement in STATEMENTS:
        for filter in FILTERS:
            one.execute(statement, {"item": 3, **filter})
            assert two.execute(settings).fetchall() == before
            assert two.execute("show hnsw.ef_search").fetchone() == ("40",)


def test_a_search_that_is_cancelled_leaves_no_setting_behind(
    clients: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    one, two = clients
    # the first sets hnsw.ef_search to 1,000 or so, the second fails before it is set back
    searches = (
        f"select count(*) from generate_series(1, 10000) g, recsys_api.search_items({QUERY}, 1 + g %% 200) s",
        f"select recsys_api._walk({QUERY}, null, 'and 1 / (item.id - 3) > 0', 'true', 900, 100)",
    )
    for search, error in zip(searches, ("57014", "22012"), strict=True):
        with one.transaction(force_rollback=True):
            one.execute("set local statement_timeout = '100ms'")
            with pytest.raises(psycopg.DatabaseError) as raised:
                one.execute(search, {"item": 3})
        assert raised.value.sqlstate == error
        assert two.execute("show hnsw.ef_search").fetchone() == ("40",)


def test_a_client_keeps_its_own_setting_for_the_rest_of_its_transaction(
    clients: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    one, two = clients
    with one.transaction():
        one.execute("select '[1]'::vector")
        one.execute("set local hnsw.ef_search = 77")
        one.execute(STATEMENTS[0], {"item": 3, **FILTERS[0]})
        assert one.execute("show hnsw.ef_search").fetchone() == ("77",)
    assert two.execute("show hnsw.ef_search").fetchone() == ("40",)
