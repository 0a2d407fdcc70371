"""status and doctor: what they see, and what they say about what is wrong."""

import psycopg
import pytest

from recsys_pg import db


def execute(url, *statements):
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def findings(cli, url):
    """What doctor finds, by check; the worst finding of each."""
    worst = {}
    for finding in cli("doctor", "--json", "--database-url", url).json:
        known = worst.get(finding["check"])
        if known is None or LEVELS.index(finding["level"]) > LEVELS.index(known["level"]):
            worst[finding["check"]] = finding
    return worst


LEVELS = ("ok", "info", "warn", "fail")


def test_status_counts(cli, shop):
    seen = cli("status", "--json", "--database-url", shop).json
    assert seen["counts"] == {"items": 8, "users": 4, "users_with_taste": 0, "interactions": 8}
    assert seen["coverage"]["items_with_neighbors"] == 2
    assert [model["pending"] for model in seen["embedding"]] == [8]
    assert {model["purpose"] for model in seen["models"]} == {"embedding", "collaborative"}
    assert seen["freshness"]["interactions_since_training"] == 0
    assert "items" in {table["table"] for table in seen["tables"]}


def test_status_for_people(cli, shop):
    seen = cli("status", "--database-url", shop).out
    assert "items         8" in seen
    assert "8 waiting" in seen
    assert "by hand" in seen


def test_status_of_an_empty_database(cli, url):
    seen = cli("status", "--database-url", url)
    assert seen.code == 0
    assert "training   never" in seen.out


def test_doctor_finds_nothing_wrong_with_a_shop(cli, own_shop):
    execute(own_shop, "vacuum analyze")
    examined = cli("doctor", "--database-url", own_shop)
    assert examined.code == 0
    # an item of the shop waits for its vector, which is no fault
    assert [line.split("Run: ")[1].split()[1] for line in examined.out.splitlines() if "→ Run" in line] == [
        "worker,"
    ]
    found = findings(cli, own_shop)
    assert {found[check]["level"] for check in ("connection", "schema", "indexes", "trained model")} == {"ok"}
    for finding in found.values():
        assert finding.keys() == {"check", "level", "message", "remedy"}
        assert finding["level"] == "ok" or finding["message"]


@pytest.mark.parametrize(
    ("damage", "check", "level"),
    [
        ("drop table recsys.settings", "schema", "fail"),
        ("drop extension vector cascade", "pgvector", "fail"),
        (
            "update pg_index set indisvalid = false where indexrelid = 'recsys.items_tags_idx'::regclass",
            "indexes",
            "fail",
        ),
        ("update recsys.embedding_jobs set requested_at = now() - interval '1 hour'", "queue", "warn"),
        (
            "update recsys.embedding_jobs set failed_at = now(), last_error = 'no text' where item_id = 1",
            "failed items",
            "warn",
        ),
        ("delete from recsys.embedding_jobs", "items without vector", "warn"),
        ("delete from recsys.models where purpose = 'collaborative'", "trained model", "warn"),
        (
            "update recsys.models set created_at = now() - interval '1 day' where purpose = 'collaborative'",
            "trained model",
            "warn",
        ),
        ("update recsys.models set name = 'other' where purpose = 'embedding'", "embedding model", "warn"),
        ("update recsys.models set is_active = false where purpose = 'embedding'", "embedding model", "fail"),
        (
            "insert into recsys.users (external_id) select n::text from generate_series(1, 2000) n",
            "statistics",
            "warn",
        ),
        ("create index shop_price_idx on recsys.items (category, price)", "updates", "warn"),
        (
            "insert into recsys.deferred_indexes values ('items_embedding_idx', 'create index');"
            "drop index recsys.items_embedding_idx",
            "vector index",
            "info",
        ),
        ("drop index recsys.items_embedding_idx", "vector index", "info"),
        (
            "insert into recsys.models (purpose, name, revision, is_standby)"
            " values ('embedding', 'other', '1', true)",
            "model switch",
            "info",
        ),
    ],
    ids=lambda value: value if value in LEVELS or " " not in value else value.split("recsys")[0].strip(),
)
def test_doctor_names_what_is_wrong_and_the_remedy(cli, own_shop, damage, check, level):
    if check == "statistics":
        execute(own_shop, "alter table recsys.users set (autovacuum_enabled = off)")
    execute(own_shop, damage)
    found = findings(cli, own_shop)[check]
    assert found["level"] == level
    assert found["message"]
    assert found["remedy"]
    told = cli("doctor", "--database-url", own_shop)
    assert told.code == (1 if level == "fail" else 0)
    assert f"→ {found['remedy']}" in told.out


def test_doctor_tells_of_a_model_of_an_earlier_version(cli, own_shop, monkeypatch):
    told = "The model is of an earlier version"
    execute(own_shop, "update recsys.models set decays = '{1}' where purpose = 'collaborative'")
    assert told not in cli("doctor", "--database-url", own_shop).out
    monkeypatch.setattr("recsys_pg.cli.checks.data._MANY", 8)
    assert told in cli("doctor", "--database-url", own_shop).out


def test_the_remedy_for_forgotten_items_works(cli, own_shop):
    execute(own_shop, "delete from recsys.embedding_jobs")
    remedy = findings(cli, own_shop)["items without vector"]["remedy"]
    execute(own_shop, remedy.removeprefix("Run: ").removesuffix("."))
    assert findings(cli, own_shop)["items without vector"]["level"] == "ok"


def test_doctor_sees_tastes_that_nobody_computes(cli, own_shop):
    execute(own_shop, "delete from recsys.taste_changes")
    assert findings(cli, own_shop)["tastes"]["level"] == "ok"
    execute(
        own_shop,
        "insert into recsys.taste_changes (user_id, changed_at)"
        " select id, now() - interval '1 hour' from recsys.users limit 2",
    )
    found = findings(cli, own_shop)["tastes"]
    assert (found["level"], found["remedy"][:21]) == ("warn", "Run: recsys-pg worker")
    assert "of 2 users wait to be computed anew, the oldest for 60 minutes" in found["message"]
    execute(own_shop, "select recsys_api.refresh_tastes()")
    assert findings(cli, own_shop)["tastes"]["level"] == "ok"


def test_doctor_sees_a_transaction_that_is_left_open(cli, own_shop, monkeypatch):
    monkeypatch.setattr("recsys_pg.cli.vacuum_holders.LONG_MINUTES", 0)
    with psycopg.connect(**db.connection_parameters(own_shop)) as idle:
        idle.execute("select 1")
        assert findings(cli, own_shop)["transactions"]["level"] == "ok"  # read committed, it holds nothing
        idle.rollback()
        idle.execute("create temporary table half_done ()")
        found = findings(cli, own_shop)["transactions"]
        assert found["level"] == "warn"
        assert f"pg_terminate_backend({idle.info.backend_pid})" in found["remedy"]


def test_status_tells_what_spoils_updates(cli, own_shop):
    execute(own_shop, "create index shop_stock_idx on recsys.items (in_stock) where price > 5")
    execute(
        own_shop,
        "alter table recsys.users set (autovacuum_enabled = off);"
        "insert into recsys.users (external_id) select 'u' || n from generate_series(1, 20000) n",
    )
    execute(own_shop, "update recsys.users set attributes = '{\"a\": 1}'; select pg_stat_force_next_flush()")
    told = cli("status", "--database-url", own_shop).out
    assert "The index recsys.shop_stock_idx over in_stock, price makes every update" in told
    assert "drop index concurrently recsys.shop_stock_idx" in told
    assert "autovacuum is off for users" in told
    seen = cli("status", "--json", "--database-url", own_shop).json
    [users] = [table for table in seen["updates"] if table["table"] == "users"]
    assert (users["updates"] >= 20_000, users["dead_rows"] > 10_000) == (True, True)
    assert 0 <= users["hot_share"] < 0.5
    execute(own_shop, "vacuum analyze recsys.users")
    seen = cli("status", "--json", "--database-url", own_shop).json
    [users] = [table for table in seen["updates"] if table["table"] == "users"]
    assert 0.3 < users["bloat"] < 0.7
    assert [spoiler["what"] for spoiler in seen["spoilers"] if "Dead rows" in spoiler["what"]] == []


def test_status_names_the_transaction_that_keeps_dead_rows(cli, own_shop, monkeypatch):
    monkeypatch.setattr("recsys_pg.cli.vacuum_holders.LONG_MINUTES", 0)
    execute(
        own_shop, "insert into recsys.users (external_id) select 'u' || n from generate_series(1, 20000) n"
    )
    with psycopg.connect(**db.connection_parameters(own_shop), application_name="a report") as holder:
        # in read committed it would hold nothing between its statements
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select count(*) from recsys.users")
        execute(
            own_shop, "update recsys.users set attributes = '{\"a\": 1}'; select pg_stat_force_next_flush()"
        )
        pid = holder.info.backend_pid
        told = cli("status", "--database-url", own_shop).out
    assert f"cannot go while the transaction of server process {pid} (a report), open for 0 minutes" in told
    assert f"select pg_terminate_backend({pid});" in told


def test_doctor_without_a_server_has_one_finding(cli):
    examined = cli("doctor", "--json", "--database-url", "postgresql://127.0.0.1:1/shop")
    assert examined.code == 1
    assert [finding["level"] for finding in examined.json] == ["fail"]


def test_doctor_without_the_schema_stops_there(cli, create_database):
    url = create_database()
    found = findings(cli, url)
    assert found["pgvector"]["remedy"] == "Run: recsys-pg init."
    execute(url, "create extension vector")
    found = findings(cli, url)
    assert found["schema"]["remedy"] == "Run: recsys-pg migrate."
    assert "queue" not in found


def test_doctor_tells_a_role_with_few_rights_what_it_could_not_see(cli, own_shop):
    found = findings(cli, f"{own_shop} options='-c role=recsys_app'")
    assert "Not checked" in " ".join(finding["message"] for finding in found.values())


def test_doctor_finds_a_damaged_model(cli, own_shop, monkeypatch):
    monkeypatch.setattr("recsys_pg.embedding.model_files._BUNDLE_DIGEST", "0" * 64)
    found = findings(cli, own_shop)["embedding model"]
    assert found["level"] == "fail"
    assert "SHA-256" in found["message"]
