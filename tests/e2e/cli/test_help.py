"""What a newcomer sees: help, version, and the first word typed wrong."""

import json
import subprocess
import sys

import pytest

from recsys_pg import __version__
from recsys_pg.cli.app import app

COMMANDS = [
    *(f"{command.name}" for command in app.registered_commands),
    "rules",
    "rules define",
    "rules drop",
    "server start",
    "server stop",
    "server status",
    "server url",
]
PRINT_NO_RESULTS = {"demo", "export-user", "sql", "server stop", "server url"}


def test_without_arguments_it_shows_what_there_is(cli):
    shown = cli()
    assert shown.code == 0
    for command in COMMANDS:
        assert command.split()[0] in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(cli, command):
    shown = cli(*command.split(), "--help")
    assert shown.code == 0
    assert f"Usage: recsys-pg {command}" in shown.out
    assert "Example" in shown.out
    assert "--database-url" in shown.out
    assert ("--json" in shown.out) == (command not in PRINT_NO_RESULTS)


def test_version(cli):
    assert cli("--version").out == f"recsys-pg {__version__}\n"


def test_a_command_typed_wrong_is_a_usage_error_that_suggests_the_right_one(cli):
    failed = cli("statsu")
    assert failed.code == 2
    assert "status" in failed.error()


@pytest.mark.parametrize(
    "arguments",
    [
        ("similar",),
        ("recommend", "1", "-n", "0"),
        ("recommend", "1", "-n", "1001"),
        ("recommend", "1", "-n", "ten"),
        ("recommend", "1", "--diversity", "2"),
        ("recommend", "1", "--method", "magic"),
        ("recommend", "1", "--method", "content", "--explain"),
        ("popular", "--min-price", "cheap"),
        ("popular", "--since", "yesterday"),
        ("popular", "--bogus"),
        ("search", " "),
        ("worker", "--batch-size", "0"),
        ("train", "--algorithm", "magic"),
        ("train", "--neighbors", "0"),
        ("requeue", "--item", "x"),
        ("import",),
        ("import", "x.csv", "--map", "title"),
        ("import", "--items", "x.csv", "--users", "y.csv", "--map", "title=name"),
        ("server",),
        ("server", "start", "--database-url", "host=elsewhere"),
        ("status", "--database-url", "mysql://root@localhost/shop"),
        ("status", "--database-url", "nonsense"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(cli, arguments):
    failed = cli(*arguments)
    assert failed.code == 2
    assert failed.error()


def test_a_setting_that_cannot_be_read_is_named(cli, monkeypatch):
    monkeypatch.setenv("RECSYS_PG_WORKER_BATCH_SIZE", "many")
    failed = cli("status")
    assert failed.code == 2
    assert "RECSYS_PG_WORKER_BATCH_SIZE is 'many'" in failed.error()


def test_bytes_that_are_no_text_are_refused(cli):
    failed = cli("similar", "caf\udce9")
    assert failed.code == 2
    assert "UTF-8" in failed.error()


def _python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_help_loads_nothing_of_the_database_or_the_models():
    script = (
        "import json, sys; from recsys_pg.cli.app import run; run(['--help']);"
        " print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(_python(script).stdout.splitlines()[-1]))
    assert loaded.isdisjoint({"torch", "transformers", "scipy", "numpy", "sqlalchemy", "psycopg", "alembic"})


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_cli_one_line_names_it(missing):
    script = f"import sys; sys.modules[{missing!r}] = None; from recsys_pg.cli import main; main()"
    failed = _python(script)
    assert failed.returncode == 1
    assert failed.stderr == f'Error: The command line needs {missing}. Run: pip install "recsys-pg[cli]".\n'


@pytest.mark.parametrize(
    ("missing", "command", "extra"),
    [("scipy", "train", "train"), ("sentence_transformers", "worker --once", "embed")],
)
def test_without_the_extra_of_a_command_one_line_names_it(url, missing, command, extra):
    script = (
        f"import sys; sys.modules[{missing!r}] = None; from recsys_pg.cli.app import run;"
        f" sys.exit(run([*{command.split()!r}, '--database-url', {url!r}]))"
    )
    failed = _python(script)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert f"recsys-pg[{extra}" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (("popular", "-n", "0"), "'0'"),
        (("train", "--memory-gb", "0"), "'0'"),
        (("train", "--seed", "x"), "'x'"),
    ],
)
def test_a_wrong_value_of_an_option_is_named(cli, arguments, given):
    failed = cli(*arguments)
    assert failed.code == 2
    assert f"It is {given}." in failed.error()


def test_a_value_that_the_message_names_is_not_named_twice(cli):
    assert cli("evaluate", "--split", "random").error().count("'random'") == 1
