"""evaluate: what it prints and writes, what it refuses, and that nothing stays when it is interrupted."""

import json
import re
import signal
import time

import psycopg
import pytest

from recsys_pg import db

USERS, ITEMS, LIKES = 60, 100, 12


@pytest.fixture
def liked_shop(create_database, template):
    """The URL of a shop where people like twelve items of one half, a day after the other."""
    url = create_database(template)
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        connection.execute(
            f"""
            insert into recsys.items (id, title) select id, 'item ' || id from generate_series(1, {ITEMS}) id;
            insert into recsys.users (id) select generate_series(1, {USERS});
            select setseed(0.5);
            insert into recsys.interactions (user_id, item_id, kind, occurred_at)
            select u.id, i.id, 'like', timestamptz '2026-01-01' + make_interval(days => i.place, secs => u.id)
            from recsys.users u cross join lateral (
                select i.id, (row_number() over (order by random() * u.id))::integer as place
                from recsys.items i where (i.id <= {ITEMS} / 2) = (u.id % 2 = 0) order by 2 limit {LIKES}
            ) i
            """
        )
    return url


def scratch_databases(url):
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        rows = connection.execute(
            r"select datname from pg_database where datname like 'recsys\_pg\_evaluation%'"
        )
        return {name for (name,) in rows}


def test_a_table_for_people_and_files_for_programs_and_browsers(cli, liked_shop, tmp_path):
    shown = cli(
        "evaluate", "--users", "20", "-k", "5", "-k", "15", "--memory-gb", "0.5", "--json", "found.json",
        "--html", "found.html", "--database-url", liked_shop,
    )  # fmt: skip
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert "20 of 60 users were drawn" in lines[0]
    header = "method NDCG@5 Recall@5 MAP@5 MRR@5 hits@5 NDCG@15 Recall@15"
    assert header.split() in [line.split() for line in lines]
    for method in ("hybrid", "item_based", "user_based", "content", "popular"):
        assert any(re.match(rf"{method} +0\.\d{{4}} ", line) for line in lines)
    assert any(re.match(r"popular +[+-]0\.\d{4} +[+-]0\.\d{4} to ", line) for line in lines)
    assert "No item has an embedding" in shown.out
    assert lines[-2:] == ["Written to found.json.", "Written to found.html."]

    found = json.loads((tmp_path / "found.json").read_text())
    assert found["sizes"]["asked_users"] == 20
    assert found["methods"][0]["method"] == "hybrid"
    assert f"{found['methods'][0]['ndcg']['mean']:.4f}" in shown.out
    page = (tmp_path / "found.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") == 3
    assert not re.search(r"https?:|<script|<link|url\(", page)
    assert liked_shop not in page
    assert scratch_databases(liked_shop) == set()


def test_json_alone_on_stdout(cli, liked_shop):
    shown = cli(
        "evaluate", "--split", "user", "--method", "popular", "--users", "20", "--memory-gb", "0.5",
        "--json", "-", "--database-url", liked_shop,
    )  # fmt: skip
    assert (shown.code, shown.err) == (0, "")
    assert shown.json["options"]["split"] == "user"
    assert shown.json["split_at"] is None
    assert [row["difference"] for row in shown.json["methods"]] == [None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--test-share", "1.5"), "The test share is 1.5"),
        (("--users", "3"), "users is 3"),
        (("-k", "0"), "k is 0"),
        (("--method", "magic"), "magic"),
        (("--split", "random"), "random"),
        (("--html", "nowhere/report.html"), "nowhere/report.html cannot be written"),
        (("--json", "."), ". is no file"),
        (("--html", "-"), "- is no file"),
        (("--server", "mysql://root@localhost"), "mysql://"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(cli, shop, arguments, said):
    failed = cli("evaluate", *arguments, "--database-url", shop)
    assert failed.code == 2
    assert said in failed.error()


def test_what_cannot_be_split_is_told_with_the_remedy(cli, url, own_shop):
    failed = cli("evaluate", "--database-url", url)
    assert (failed.code, "recsys-pg import" in failed.error()) == (2, True)
    with psycopg.connect(**db.connection_parameters(own_shop)) as connection:
        connection.execute("update recsys.interactions set occurred_at = '2026-01-01'")
    failed = cli("evaluate", "--database-url", own_shop)
    assert "happened at one time" in failed.error()
    assert "--split user" in failed.error()


def test_a_server_that_is_not_there_is_one_line(cli, shop):
    failed = cli("evaluate", "--server", "postgresql://localhost:1/x", "--database-url", shop)
    assert failed.code == 1
    assert "cannot be reached" in failed.error()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_scratch_database(start_cli, liked_shop, number):
    process = start_cli("evaluate", "--memory-gb", "0.5", "--database-url", liked_shop)
    deadline = time.monotonic() + 60
    while not scratch_databases(liked_shop):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert scratch_databases(liked_shop) == set()
