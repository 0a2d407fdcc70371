"""Databases that are away, unfit or not allowed: one line, exit code 1, and the remedy."""

import psycopg
import pytest

from recsys_pg import db
from recsys_pg.errors import RecsysError

CLOSED_PORT = "postgresql://somebody:secret@127.0.0.1:1/shop"
COMMANDS = [
    ("migrate",),
    ("train",),
    ("similar", "1"),
    ("recommend", "1"),
    ("popular",),
    ("status",),
    ("requeue",),
]


def execute(url, *statements):
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def database_name(url):
    return db.connection_parameters(url)["dbname"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_server_that_is_away_is_said_without_the_password(cli, command):
    failed = cli(*command, "--database-url", CLOSED_PORT)
    assert failed.code == 1
    assert "cannot be reached" in failed.error()
    assert "secret" not in failed.err


def test_a_role_that_does_not_exist_is_said(cli, url):
    failed = cli("status", "--database-url", f"{url} user=nobody")
    assert failed.code == 1
    assert "nobody" in failed.error()


def test_a_database_that_does_not_exist_is_said(cli, url):
    failed = cli("init", "--database-url", f"{url} dbname=nowhere")
    assert failed.code == 1
    assert "nowhere" in failed.error()


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != ("migrate",)], ids=" ".join)
def test_a_database_without_the_schema_asks_for_migrate(cli, create_database, command):
    failed = cli(*command, "--database-url", create_database())
    assert failed.code == 1
    assert "recsys-pg migrate" in failed.error()


@pytest.mark.parametrize("command", ["status", "train", "requeue"])
@pytest.mark.parametrize(
    "damage",
    [
        "delete from recsys.alembic_version",
        "update recsys.alembic_version set version_num = 'ancient'",
        "drop view recsys_report.top_items",
    ],
)
def test_a_schema_that_is_old_or_half_there_asks_for_migrate(cli, url, command, damage):
    execute(url, damage)
    failed = cli(command, "--database-url", url)
    assert failed.code == 1
    assert "recsys-pg migrate" in failed.error()


@pytest.mark.parametrize("command", ["status", "migrate"])
def test_a_schema_that_lost_a_table_asks_for_a_backup(cli, url, command):
    execute(url, "drop table recsys.settings")
    failed = cli(command, "--database-url", url)
    assert failed.code == 1
    assert "settings. Restore the tables from a backup" in failed.error()


def test_a_schema_of_a_newer_version_is_left_alone(cli, url):
    execute(url, "update recsys.alembic_version set version_num = '9999'")
    failed = cli("migrate", "--database-url", url)
    assert failed.code == 1
    assert "9999" in failed.error()


@pytest.mark.parametrize(
    "command", [("init",), ("migrate",), ("train",), ("requeue",), ("import", "items.csv")], ids=" ".join
)
def test_a_read_only_database_is_said(cli, own_shop, tmp_path, command):
    execute(own_shop, f'alter database "{database_name(own_shop)}" set default_transaction_read_only = on')
    (tmp_path / "items.csv").write_text("id,title\n1,One\n")
    failed = cli(*command, "--database-url", own_shop)
    assert failed.code == 1
    assert "read-only" in failed.error()


@pytest.mark.parametrize("command", ["similar 1", "recommend 1", "popular", "status", "doctor"])
def test_a_read_only_database_answers(cli, own_shop, command):
    execute(own_shop, f'alter database "{database_name(own_shop)}" set default_transaction_read_only = on')
    assert cli(*command.split(), "--database-url", own_shop).code == 0


def test_the_application_role_may_ask_but_not_train(cli, own_shop):
    as_application = f"{own_shop} options='-c role=recsys_app'"
    for command in ("similar 1", "recommend 1", "popular"):
        assert cli(*command.split(), "--json", "--database-url", as_application).json
    failed = cli("train", "--database-url", as_application)
    assert failed.code == 1
    assert "permission denied" in failed.error().lower()


def test_a_database_error_that_nobody_foresaw_is_one_line_too(cli, own_shop):
    execute(own_shop, f"alter database \"{database_name(own_shop)}\" set work_mem = '64kB'")
    execute(
        own_shop,
        "create function recsys.oops() returns trigger language plpgsql as"
        " $$ begin raise exception E'two\\nlines' using errcode = 'XX999'; end $$",
        "create trigger oops before insert on recsys.models for each row execute function recsys.oops()",
    )
    failed = cli("train", "--database-url", own_shop)
    assert failed.code == 1
    assert "two lines" in failed.error()
    assert "XX999" in failed.err


def test_a_defect_is_one_line_and_a_traceback_on_request(cli, shop, monkeypatch):
    def break_down(*arguments, **options):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("recsys_pg.recommender.Recommender.popular", break_down)
    failed = cli("popular", "--database-url", shop)
    assert failed.code == 1
    assert "ZeroDivisionError: by zero" in failed.error()
    told = cli("popular", "--verbose", "--database-url", shop)
    assert "Traceback" in told.err
    assert told.err.splitlines()[-1].startswith("Error: ZeroDivisionError")


def test_an_error_of_ours_has_a_traceback_only_on_request(cli, shop):
    assert "Traceback" not in cli("similar", "999", "--database-url", shop).err
    assert "Traceback" in cli("similar", "999", "--database-url", shop, "--verbose").err


def test_an_error_of_several_lines_is_said_on_one(cli, monkeypatch):
    def fail(context):
        raise RecsysError("first\nsecond\x1b[2J", "third")

    monkeypatch.setattr("recsys_pg.cli.recommend.connected", fail)
    assert cli("popular").error() == "first second [2J third"
