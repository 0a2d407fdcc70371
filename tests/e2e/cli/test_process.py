"""The program as a process: pipes that close, signals, the terminal's alphabet."""

import signal
import subprocess
import time

import psycopg
import pytest

from recsys_pg import db


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_has_seen_enough_causes_no_noise(start_cli, shop, options):
    process = start_cli("recommend", "1", *options, "--database-url", shop)
    process.stdout.close()
    process.stdin.close()
    process.wait(30)
    assert process.stderr.read() == ""


def test_piping_to_head_works(start_cli, shop):
    process = start_cli("popular", "--database-url", shop)
    head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, text=True, check=True)
    assert head.stdout.split() == ["#", "id", "title", "category", "price", "stock", "score"]
    process.wait(30)
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "Interrupted.\n"), (signal.SIGTERM, 143, "")]
)
def test_a_signal_ends_a_command_and_its_query(start_cli, own_shop, number, code, said):
    with psycopg.connect(**db.connection_parameters(own_shop)) as blocker:
        blocker.execute("lock table recsys.items in access exclusive mode")
        process = start_cli("similar", "1", "--database-url", own_shop)
        _wait_for(blocker, "select count(*) from pg_locks where not granted", 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (code, "", said)
        _wait_for(blocker, "select count(*) from pg_locks where not granted", 0)


def test_a_terminal_without_the_letters_of_a_title_shows_replacements(start_cli, shop):
    process = start_cli("similar", "4", "--database-url", shop, PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.startswith('Like "Am?lie ? [bold]"')


def test_json_in_another_alphabet_is_escaped(start_cli, shop):
    process = start_cli(
        "popular", "--out-of-stock", "--json", "--database-url", shop, PYTHONIOENCODING="latin-1"
    )
    out, _ = process.communicate(timeout=30)
    assert "Am\\u00e9lie \\ud83c\\udfac" in out


def _wait_for(connection, query, expected):
    deadline = time.monotonic() + 20
    while connection.execute(query).fetchone() != (expected,):
        assert time.monotonic() < deadline, query
        time.sleep(0.05)
