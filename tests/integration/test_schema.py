"""Install, upgrade and check: the schema's way into a database, and what it must not break there."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg import db, errors, schema

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = (
    "select p.oid, p.oid::regprocedure::text, pg_get_functiondef(p.oid) from pg_proc p"
    " where p.pronamespace in ('recsys'::regnamespace, 'recsys_api'::regnamespace) order by 2"
)


@pytest.fixture
def empty_url(create_database: Callable[..., str]) -> str:
    """A database in which nothing has been installed."""
    return create_database()


@pytest.fixture
def sql_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that stands for another version of the package."""
    directory = tmp_path / "sql"
    shutil.copytree(schema.sql_directory(), directory)
    monkeypatch.setattr(schema, "sql_directory", lambda: directory)
    return directory


@pytest.fixture
def package(sql_copy: Path, url: str) -> Path:
    """The sql/ of a version with a type, a function and a report more, which is installed in `url`."""
    (sql_copy / "019_shelf_row.sql").write_text(SHELF_ROW)
    write_function(sql_copy)
    write_report(sql_copy)
    migrate(url)
    return sql_copy


@pytest.fixture
def user_connection(url: str) -> Iterator[psycopg.Connection]:
    """What the database's users do, committed at once."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def engine_of(url: str, **parameters: str) -> sa.Engine:
    return db.create_engine(make_conninfo(url, **parameters), poolclass=sa.NullPool)


def migrate(url: str, **parameters: str) -> schema.Migrated:
    return schema.migrate(engine_of(url, **parameters))


def problems(url: str) -> list[str]:
    with engine_of(url).connect() as connection:
        return schema.schema_problems(connection)


SHELF_ROW = """-- A row of shelf.
do $$ begin
    if to_regtype('recsys_api.shelf_row') is null then
        create type recsys_api.shelf_row as (title text);
    end if;
end $$;
"""


def write_function(
    directory: Path,
    *,
    arguments: str = "",
    result: str = "title text",
    header: str = "What stands on a shelf.",
) -> None:
    (directory / "130_shelf.sql").write_text(
        f"""-- {header}
create or replace function recsys_api.shelf({arguments}) returns table ({result}) language plpgsql stable
set search_path from current as $$ begin end $$;
"""
    )


def write_report(directory: Path, columns: str = "count(*) as items") -> None:
    (directory / "210_report_shelf.sql").write_text(
        f"""-- How many items there are.
create or replace view recsys_report.shelf as select {columns} from recsys.items;
"""
    )


# install


def test_an_empty_database_is_installed_completely(empty_url):
    assert problems(empty_url) == ["Schema recsys, recsys_api, recsys_report is missing."]
    migrated = migrate(empty_url)
    assert (migrated.before, migrated.after) == (None, schema.head_revision())
    assert migrated.objects == len([file for file in schema.sql_files() if file.kind != "script"])
    assert problems(empty_url) == []


def test_a_second_migration_changes_nothing(url, user_connection):
    before = user_connection.execute(FUNCTIONS).fetchall()
    migrated = migrate(url)
    assert migrated.before == migrated.after == schema.head_revision()
    assert user_connection.execute(FUNCTIONS).fetchall() == before


def test_two_machines_may_migrate_at_once(empty_url):
    start = threading.Barrier(2)

    def run() -> schema.Migrated:
        start.wait()
        return migrate(empty_url)

    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(run) for _ in range(2)]
        results = [future.result() for future in futures]
    assert sorted(str(result.before) for result in results) == [schema.head_revision(), "None"]
    assert problems(empty_url) == []


def test_a_migration_waits_for_another_one(url):
    with engine_of(url).begin() as holder:
        schema.hold_migration_lock(holder)
        with pytest.raises(errors.DatabaseError, match="lock timeout"):
            migrate(url, options="-c lock_timeout=100ms")


def test_a_failing_migration_leaves_nothing_behind(empty_url, sql_copy):
    (sql_copy / "899_broken.sql").write_text("select no_such_function();\n")
    with pytest.raises(psycopg.errors.UndefinedFunction, match="no_such_function"):
        migrate(empty_url)
    assert problems(empty_url) == ["Schema recsys, recsys_api, recsys_report is missing."]


def test_the_owner_of_a_database_needs_no_superuser(server_url, create_database):
    url = create_database()
    with psycopg.connect(url, autocommit=True) as admin:
        try:
            admin.execute("create role recsys_test_owner login password 'owner'")
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("the role of RECSYS_PG_TEST_DATABASE_URL may not create roles")
        try:
            admin.execute("create extension vector")  # pgvector is not a trusted extension
            admin.execute(f"alter database {admin.info.dbname} owner to recsys_test_owner")
            admin.execute("alter schema public owner to recsys_test_owner")
            migrate(url, user="recsys_test_owner", password="owner")
            migrate(url, user="recsys_test_owner", password="owner")
            assert problems(url) == []
        finally:
            admin.execute("drop owned by recsys_test_owner cascade")
            admin.execute(f"alter database {admin.info.dbname} owner to current_user")
            admin.execute("reassign owned by recsys_test_owner to current_user")
            admin.execute("drop role recsys_test_owner")


# what users built on top


def test_users_views_on_functions_and_reports_are_kept_and_work(url, user_connection):
    user_connection.execute(
        """
        create schema shop;
        create view shop.front_page as select title, score from recsys_api.popular_items(n => 5);
        create view shop.weekly as select day, interactions from recsys_report.interactions_by_day;
        create materialized view shop.cached as select * from recsys_report.top_items;
        create function shop.best(u bigint) returns text language sql begin atomic;
            select r.title from recsys_api.recommend_for_user(u, n => 1) r; end;
        """
    )
    migrate(url)
    user_connection.execute("insert into recsys.items (title) values ('The only one')")
    user_connection.execute("insert into recsys.users (id) values (1)")
    assert user_connection.execute("select title from shop.front_page").fetchall() == [("The only one",)]
    assert user_connection.execute("select shop.best(1)").fetchone() == ("The only one",)
    assert user_connection.execute("select * from shop.weekly").fetchall() == []


def test_users_grants_are_kept(url, user_connection):
    user_connection.execute("grant execute on function recsys_api.popular_items to recsys_reporter")
    user_connection.execute("grant select on recsys_report.top_items to recsys_app")
    migrate(url)
    assert user_connection.execute(
        "select has_function_privilege('recsys_reporter', oid, 'execute') from pg_proc"
        " where proname = 'popular_items'"
    ).fetchone() == (True,)
    assert user_connection.execute(
        "select has_table_privilege('recsys_app', 'recsys_report.top_items', 'select')"
    ).fetchone() == (True,)


@pytest.mark.parametrize(
    "signature",
    ["shelf(integer)", "popular_items(text)", "recommend_for_user(text, integer)", "_setting(integer)"],
)
def test_a_users_own_function_in_recsys_api_survives_even_under_a_name_of_ours(
    url, user_connection, signature
):
    user_connection.execute(
        f"create function recsys_api.{signature} returns text language sql as $$ select 'mine' $$".encode()
    )
    migrate(url)
    assert user_connection.execute(
        "select prosrc from pg_proc where oid = to_regprocedure(%s)", (f"recsys_api.{signature}",)
    ).fetchone() == (" select 'mine' ",)
    assert problems(url) == []


def test_a_users_own_view_in_recsys_report_survives(url, user_connection):
    user_connection.execute("create view recsys_report.mine as select count(*) from recsys.items")
    migrate(url)
    assert user_connection.execute("select * from recsys_report.mine").fetchall() == [(0,)]


# upgrades


def test_a_changed_result_is_installed_when_nothing_depends_on_it(url, user_connection, package):
    write_function(package, result="title text, price numeric")
    migrate(url)
    assert user_connection.execute(
        "select oid::regprocedure::text, pg_get_function_result(oid) from pg_proc where proname = 'shelf'"
    ).fetchall() == [("recsys_api.shelf()", "TABLE(title text, price numeric)")]


def test_new_arguments_replace_the_old_signature(url, user_connection, package):
    write_function(package, arguments="n integer default 10")
    migrate(url)
    migrate(url)
    assert user_connection.execute(
        "select oid::regprocedure::text from pg_proc where proname = 'shelf'"
    ).fetchall() == [("recsys_api.shelf(integer)",)]


BLOCKED = {
    "the result of a function": (
        lambda package: write_function(package, result="title text, price numeric", header="Changed."),
        "create view shop.a as select title from recsys_api.shelf();"
        " create view shop.b as select * from shop.a",
        ("view shop.a", "view shop.b"),
    ),
    "the arguments of a function": (
        lambda package: write_function(package, arguments="n integer default 10", header="Changed."),
        "create view shop.a as select * from recsys_api.shelf()",
        ("view shop.a",),
    ),
    "a column of a report": (
        lambda package: (write_function(package, header="Changed."), write_report(package, "count(*) as n")),
        "create materialized view shop.a as select * from recsys_report.shelf",
        ("materialized view shop.a",),
    ),
}


@pytest.mark.parametrize("what", BLOCKED)
def test_a_change_that_would_break_a_users_view_is_refused_and_changes_nothing(
    url, user_connection, package, what
):
    change, users_sql, dependents = BLOCKED[what]
    user_connection.execute("create schema shop")
    user_connection.execute(users_sql)
    before = user_connection.execute(FUNCTIONS).fetchall()
    comment = "select obj_description(oid, 'pg_proc') from pg_proc where proname = 'shelf'"
    change(package)
    with pytest.raises(errors.UpgradeBlockedError) as raised:
        migrate(url)
    assert raised.value.dependents == dependents
    assert all(dependent in str(raised.value) for dependent in dependents)
    assert "recsys-pg migrate" in raised.value.hint
    assert user_connection.execute(FUNCTIONS).fetchall() == before
    assert user_connection.execute(comment).fetchall() == [("What stands on a shelf.",)]
    assert user_connection.execute("select to_regclass('shop.a') is not null").fetchone() == (True,)

    user_connection.execute("drop schema shop cascade")
    migrate(url)
    assert user_connection.execute(comment).fetchall() == [("Changed.",)]


def test_a_report_with_one_more_column_keeps_the_views_on_it(url, user_connection, package):
    user_connection.execute("create view public.mine as select * from recsys_report.shelf")
    write_report(package, "count(*) as items, max(price) as highest_price")
    migrate(url)
    assert user_connection.execute("select highest_price from recsys_report.shelf").fetchone() == (None,)
    assert user_connection.execute("select * from public.mine").fetchall() == [(0,)]


def test_an_object_that_is_gone_from_sql_is_dropped(url, user_connection, package):
    for name in ("019_shelf_row.sql", "130_shelf.sql", "210_report_shelf.sql"):
        (package / name).unlink()
    migrate(url)
    assert user_connection.execute(
        "select to_regproc('recsys_api.shelf'), to_regclass('recsys_report.shelf'),"
        " to_regtype('recsys_api.shelf_row')"
    ).fetchone() == (None, None, None)


@pytest.mark.parametrize("name", ["019_shelf_row.sql", "130_shelf.sql", "210_report_shelf.sql"])
def test_an_object_that_is_gone_from_sql_but_in_use_is_not_dropped(url, user_connection, package, name):
    user_connection.execute(
        "create view public.mine as select f.title, r.items, null::recsys_api.shelf_row as of_type"
        " from recsys_api.shelf() f, recsys_report.shelf r"
    )
    (package / name).unlink()
    with pytest.raises(errors.UpgradeBlockedError) as raised:
        migrate(url)
    assert raised.value.dependents == ("view mine",)
    assert user_connection.execute("select * from public.mine").fetchall() == []


def test_data_stays_through_an_upgrade(url, user_connection):
    user_connection.execute("insert into recsys.items (id, title) values (1, 'kept')")
    user_connection.execute("update recsys.settings set value = '123' where key = 'search.ef_search'")
    migrate(url)
    assert user_connection.execute("select title from recsys.items").fetchall() == [("kept",)]
    assert user_connection.execute(
        "select value from recsys.settings where key = 'search.ef_search'"
    ).fetchone() == (123,)


# Alembic from the repository root


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"RECSYS_PG_DATABASE_URL": url}
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_alembic_goes_up_finds_no_difference_goes_down_and_up_again(empty_url):
    for arguments in (("upgrade", "head"), ("check",), ("downgrade", "base")):
        done = alembic(empty_url, *arguments)
        assert done.returncode == 0, done.stderr
    with psycopg.connect(empty_url) as connection:
        left = connection.execute(
            "select relname from pg_class where relnamespace = 'recsys'::regnamespace and relkind = 'r'"
        ).fetchall()
        assert left == [("alembic_version",)]
    assert alembic(empty_url, "upgrade", "head").returncode == 0
    assert "Functions or views are missing" in " ".join(problems(empty_url))
    migrate(empty_url)
    assert problems(empty_url) == []


def test_a_complete_installation_can_be_taken_down_and_installed_anew(url):
    assert alembic(url, "check").returncode == 0
    done = alembic(url, "downgrade", "base")
    assert done.returncode == 0, done.stderr
    with psycopg.connect(url) as connection:
        assert (
            connection.execute(
                "select p.oid::regprocedure::text from pg_proc p"
                " where p.pronamespace::regnamespace::text in ('recsys', 'recsys_api')"
            ).fetchall()
            == []
        )
    assert migrate(url).before is None
    assert problems(url) == []


def test_alembic_says_which_variable_names_the_database(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", ROOT / "alembic.ini", "current"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("RECSYS_PG_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "RECSYS_PG_DATABASE_URL is not set." in done.stderr


# unfit databases


def test_a_half_migrated_schema_is_named(url, user_connection):
    user_connection.execute("drop table recsys.embedding_jobs, recsys.item_popularity cascade")
    user_connection.execute("drop function recsys_api.similar_users")
    assert problems(url) == [
        "Tables are missing in schema recsys: embedding_jobs, item_popularity.",
        "Functions or views are missing: recsys_api.similar_users, recsys_report.catalogue_coverage,"
        " recsys_report.embedding_status, recsys_report.failed_embeddings, recsys_report.top_items.",
    ]
    with (
        engine_of(url).connect() as connection,
        pytest.raises(errors.SchemaNotReadyError, match=r"embedding_jobs.*Restore the tables"),
    ):
        schema.require_schema(connection)
    with pytest.raises(errors.SchemaNotReadyError, match=r"embedding_jobs.*Restore the tables"):
        migrate(url)


def test_a_missing_function_is_installed_again(url, user_connection):
    user_connection.execute("drop function recsys_api.similar_users")
    migrate(url)
    assert problems(url) == []


def test_a_database_of_a_newer_version_is_left_alone(url, user_connection):
    user_connection.execute("update recsys.alembic_version set version_num = '9999'")
    before = user_connection.execute(FUNCTIONS).fetchall()
    with pytest.raises(errors.SchemaNotReadyError, match=r"revision 9999.*newer"):
        migrate(url)
    assert user_connection.execute(FUNCTIONS).fetchall() == before
    assert problems(url) == [f"The schema is at revision 9999, this package needs {schema.head_revision()}."]


def test_an_outdated_pgvector_is_refused_with_the_remedy(url, user_connection):
    user_connection.execute("update pg_extension set extversion = '0.8.0' where extname = 'vector'")
    with pytest.raises(
        errors.UnsupportedDatabaseError, match=r"pgvector 0\.8\.0 is older than 0\.8\.4"
    ) as raised:
        migrate(url)
    assert "alter extension vector update" in raised.value.hint


@pytest.mark.parametrize("version", ["0.8.4", "0.8.5", "0.9.0", "0.10.0", "1.0"])
def test_a_later_pgvector_is_accepted(url, user_connection, version):
    user_connection.execute("update pg_extension set extversion = %s where extname = 'vector'", (version,))
    migrate(url)


@pytest.fixture
def server_18(empty_url: str) -> None:
    """Skips before PostgreSQL 18, which cannot be told to look for extensions elsewhere."""
    with psycopg.connect(empty_url) as connection:
        if connection.info.server_version < 180000:
            pytest.skip("only PostgreSQL 18 can look for extensions in another folder")


@pytest.mark.usefixtures("server_18")
def test_a_server_without_pgvector_is_refused_with_the_remedy(empty_url):
    with pytest.raises(errors.UnsupportedDatabaseError, match=r"The server has no pgvector\.") as raised:
        migrate(empty_url, options="-c extension_control_path=/no/such/folder")
    assert "postgresql-18-pgvector" in raised.value.hint
    assert problems(empty_url) == ["Schema recsys, recsys_api, recsys_report is missing."]


@pytest.mark.usefixtures("server_18")
def test_a_server_that_offers_an_outdated_pgvector_is_refused_with_the_remedy(empty_url):
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "extension"
        folder.mkdir()
        (folder / "vector.control").write_text("default_version = '0.7.4'\n")
        Path(directory).chmod(0o755)  # the server may run as another user
        with psycopg.connect(empty_url, options=f"-c extension_control_path={directory}") as connection:
            if not connection.execute(
                "select 1 from pg_available_extensions where name = 'vector'"
            ).fetchone():
                pytest.skip("the server runs on another machine")
        with pytest.raises(errors.UnsupportedDatabaseError, match=r"pgvector 0\.7\.4 is older than 0\.8\.4"):
            migrate(empty_url, options=f"-c extension_control_path={directory}")
    assert problems(empty_url) == ["Schema recsys, recsys_api, recsys_report is missing."]


@pytest.mark.parametrize("installed", [True, False])
def test_a_read_only_database_is_refused(empty_url, url, installed):
    with pytest.raises(errors.ReadOnlyDatabaseError, match="primary"):
        migrate(url if installed else empty_url, options="-c default_transaction_read_only=on")


def test_a_role_without_rights_is_told_so(server_url, empty_url):
    with psycopg.connect(server_url, autocommit=True) as admin:
        try:
            admin.execute("create role recsys_test_nobody login password 'nobody'")
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("the role of RECSYS_PG_TEST_DATABASE_URL may not create roles")
        try:
            with pytest.raises(errors.PermissionDeniedError, match="permission denied"):
                migrate(empty_url, user="recsys_test_nobody", password="nobody")
        finally:
            admin.execute("drop role recsys_test_nobody")
    assert problems(empty_url) == ["Schema recsys, recsys_api, recsys_report is missing."]


def test_a_database_that_does_not_exist_is_named(server_url):
    with pytest.raises(errors.DatabaseUnavailableError, match="no_such_database"):
        migrate(server_url, dbname="no_such_database")


def test_a_role_that_does_not_exist_is_named(server_url):
    with pytest.raises(errors.DatabaseUnavailableError, match="no_such_role"):
        migrate(server_url, user="no_such_role", password="wrong")


def test_a_server_that_does_not_run_is_named():
    with pytest.raises(errors.DatabaseUnavailableError, match=r"127\.0\.0\.1.*RECSYS_PG_DATABASE_URL"):
        migrate("postgresql://postgres@127.0.0.1:1/shop")


# the files themselves


def test_every_file_of_sql_has_a_header_and_creates_one_object():
    files = schema.sql_files()
    assert all(file.header for file in files)
    assert [file.path.name for file in files if file.kind == "script"] == [
        "900_roles.sql",
        "910_row_security.sql",
        "920_vector_index.sql",
    ]
    assert len({file.name for file in files}) == len(files)
