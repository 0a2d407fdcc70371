"""Importing a data set: what arrives, what is left alone, what is refused, and what others notice."""

import csv
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys_pg import db
from recsys_pg.errors import (
    DatabaseUnavailableError,
    InvalidArgumentError,
    InvalidRecordError,
    PermissionDeniedError,
    ReadOnlyDatabaseError,
    SchemaNotReadyError,
)
from recsys_pg.importing import Dataset, import_dataset, open_dataset, read_interactions, read_items

ITEMS = """\
item_id,title,description,genres,price,in_stock,brand
m1,The Matrix,A hacker wakes up.,Action|Sci-Fi,9.99,true,Warner
m2,Inception,A thief enters dreams.,Action|Sci-Fi,12.50,true,Warner
m3,The Notebook,Two people in love.,Romance,4.00,false,New Line
"""
USERS = "user_id,city\nanna,Köln\nben,Oslo\n"
LOG = """\
user_id,item_id,kind,value,event_id,occurred_at
anna,m1,rating,5,e1,2026-01-01T10:00:00Z
anna,m2,view,,e2,2026-01-02T10:00:00Z
carl,m3,like,,,2026-01-03T10:00:00Z
"""


@pytest.fixture
def shop(tmp_path):
    """A folder of items.csv, users.csv and interactions.csv."""
    for name, content in (("items", ITEMS), ("users", USERS), ("interactions", LOG)):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
    return tmp_path


def change(folder, name, old, new):
    path = folder / name
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def test_a_dataset_arrives_whole(engine, shop, rows):
    report = import_dataset(engine, open_dataset(shop))
    assert (report.items_inserted, report.users_inserted, report.interactions_inserted) == (3, 3, 3)
    assert (report.items_updated, report.users_updated) == (0, 0)
    assert (report.duplicates, report.skipped_count, report.skipped) == (0, 0, ())
    assert rows(
        "select external_id, title, description, category, tags, price::text, in_stock, attributes"
        " from recsys.items order by id"
    ) == [
        ("m1", "The Matrix", "A hacker wakes up.", "Action", ["Action", "Sci-Fi"], "9.99", True, {}),
        ("m2", "Inception", "A thief enters dreams.", "Action", ["Action", "Sci-Fi"], "12.50", True, {}),
        ("m3", "The Notebook", "Two people in love.", "Romance", ["Romance"], "4.00", False, {}),
    ]
    assert rows("select external_id from recsys.users order by id") == [("anna",), ("ben",), ("carl",)]
    assert rows(
        "select u.external_id, i.external_id, a.kind, a.value, a.event_id, a.occurred_at"
        " from recsys.interactions a join recsys.users u on u.id = user_id"
        " join recsys.items i on i.id = item_id"
        " order by a.occurred_at"
    ) == [
        ("anna", "m1", "rating", 5.0, "e1", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("anna", "m2", "view", None, "e2", datetime(2026, 1, 2, 10, tzinfo=UTC)),
        ("carl", "m3", "like", None, None, datetime(2026, 1, 3, 10, tzinfo=UTC)),
    ]
    assert rows("select count(*) from recsys.embedding_jobs") == [(3,)]
    assert rows("select count(*) from recsys.item_popularity") == [(3,)]
    assert rows("select relname from pg_class where relname = 'interactions' and reltuples = 3")


def test_it_works_on_the_oldest_postgres(create_old_database, old_template, shop):
    engine = db.create_engine(create_old_database(old_template), poolclass=sa.NullPool)
    assert import_dataset(engine, open_dataset(shop)).interactions_inserted == 3
    assert import_dataset(engine, open_dataset(shop)).duplicates == 3


def test_importing_twice_changes_nothing_and_enqueues_nothing(engine, shop, rows, everything):
    import_dataset(engine, open_dataset(shop, attributes="*"))
    rows("delete from recsys.embedding_jobs")
    before = everything()
    report = import_dataset(engine, open_dataset(shop, attributes="*"))
    assert everything() == before
    assert (report.items_inserted, report.items_updated, report.users_inserted) == (0, 0, 0)
    assert (report.interactions_inserted, report.duplicates) == (0, 3)


def test_a_changed_text_enqueues_just_that_item(engine, shop, rows):
    import_dataset(engine, open_dataset(shop))
    rows("delete from recsys.embedding_jobs")
    change(shop, "items.csv", "A hacker wakes up.", "A hacker learns the truth.")
    assert import_dataset(engine, open_dataset(shop)).items_updated == 1
    assert rows(
        "select external_id from recsys.items where id in (select item_id from recsys.embedding_jobs)"
    ) == [("m1",)]


def test_a_changed_price_enqueues_nothing_and_keeps_the_vector(engine, shop, rows):
    import_dataset(engine, open_dataset(shop))
    vector = "[" + ",".join(["1"] + ["0"] * 383) + "]"
    rows("update recsys.items set embedding = cast(:vector as vector)", vector=vector)
    rows("delete from recsys.embedding_jobs")
    change(shop, "items.csv", "12.50", "11.00")
    change(shop, "items.csv", "4.00,false", "4.00,true")
    assert import_dataset(engine, open_dataset(shop)).items_updated == 2
    assert rows("select count(*) from recsys.embedding_jobs") == [(0,)]
    assert rows("select count(*) from recsys.items where embedding is not null") == [(3,)]
    assert rows("select price::text from recsys.items where external_id = 'm2'") == [("11.00",)]


def test_what_a_file_has_no_column_for_stays_as_it_is(engine, shop, rows, tmp_path, import_text):
    import_dataset(engine, open_dataset(shop))
    import_text(tmp_path, "products.csv", "sku,title,price\nm1,The Matrix,1.00\nm4,Contact,2.00\n")
    assert rows(
        "select external_id, description, category, price::text, in_stock from recsys.items"
        " where external_id in ('m1', 'm3', 'm4') order by id"
    ) == [
        ("m1", "A hacker wakes up.", "Action", "1.00", True),
        ("m3", "Two people in love.", "Romance", "4.00", False),
        ("m4", None, None, "2.00", True),
    ]


def test_an_emptied_value_is_emptied(engine, shop, rows):
    import_dataset(engine, open_dataset(shop))
    change(shop, "items.csv", "A hacker wakes up.,Action|Sci-Fi,9.99", ",,")
    import_dataset(engine, open_dataset(shop))
    assert rows("select description, category, tags, price from recsys.items where external_id = 'm1'") == [
        (None, None, [], None)
    ]


def test_attributes_are_merged_by_name(engine, shop, rows):
    import_dataset(engine, open_dataset(shop, content="items", attributes=("brand",)))
    rows("update recsys.items set attributes = attributes || '{\"shelf\": 7}' where external_id = 'm1'")
    change(shop, "items.csv", "9.99,true,Warner", "9.99,true,WB")
    import_dataset(engine, open_dataset(shop, content="items", attributes=("brand",)))
    [(attributes,)] = rows("select attributes from recsys.items where external_id = 'm1'")
    assert attributes == {"brand": "WB", "shelf": 7}
    change(shop, "users.csv", "Oslo", "Bergen")
    import_dataset(engine, open_dataset(shop, content="users"))
    report = import_dataset(engine, open_dataset(shop, content="users", attributes="*"))
    assert report.users_updated == 2
    assert rows("select attributes from recsys.users where external_id = 'ben'") == [({"city": "Bergen"},)]


def test_ids_of_the_application_are_kept_and_later_ids_are_larger(engine, rows, tmp_path):
    (tmp_path / "items.csv").write_text("id,title\n42,a\n7,b\n", encoding="utf-8")
    (tmp_path / "log.csv").write_text("user_id,item_id\n1000,42\n", encoding="utf-8")
    ids = {"user_id": "user_id", "item_id": "item_id"}
    dataset = Dataset(
        items=read_items(tmp_path / "items.csv", mapping={"id": "id"}),
        interactions=read_interactions(tmp_path / "log.csv", mapping=ids, kind="view"),
    )
    assert import_dataset(engine, dataset).interactions_inserted == 1
    assert rows("select user_id, item_id from recsys.interactions") == [(1000, 42)]
    [(item,)] = rows("insert into recsys.items (title) values ('new') returning id")
    [(user,)] = rows("insert into recsys.users (external_id) values ('new') returning id")
    assert (item, user) == (43, 1001)
    assert import_dataset(engine, dataset).duplicates == 1


def test_generated_ids_avoid_those_that_the_application_chose(engine, shop, rows):
    rows("insert into recsys.items (id, title) values (1, 'own'), (2, 'own')")
    rows("insert into recsys.users (id) values (1), (2), (3)")
    (shop / "users.csv").unlink()
    report = import_dataset(engine, open_dataset(shop))
    assert (report.items_inserted, report.users_inserted, report.interactions_inserted) == (3, 2, 3)


def test_an_item_found_by_its_id_takes_the_new_key(engine, rows, tmp_path):
    rows("insert into recsys.items (id, external_id, title) values (1, 'old', 'a'), (2, 'other', 'b')")
    (tmp_path / "items.csv").write_text("id,key,title\n1,new,a\n2,,b\n", encoding="utf-8")
    dataset = Dataset(items=read_items(tmp_path / "items.csv", mapping={"id": "id", "external_id": "key"}))
    assert import_dataset(engine, dataset).items_updated == 1
    assert rows("select external_id from recsys.items order by id") == [("new",), ("other",)]
    (tmp_path / "items.csv").write_text("id,key,title\n1,other,a\n", encoding="utf-8")
    with pytest.raises(
        InvalidRecordError, match="item 1 has the external_id 'other', which is that of item 2"
    ):
        import_dataset(engine, dataset)


def test_an_event_is_recorded_once(engine, shop, rows):
    change(shop, "interactions.csv", "carl,m3,like,,,", "anna,m1,rating,5,e1,")
    report = import_dataset(engine, open_dataset(shop))
    assert (report.interactions_inserted, report.duplicates) == (2, 1)
    assert rows("select event_id from recsys.interactions order by 1") == [("e1",), ("e2",)]


def test_the_same_twice_in_a_file_counts_twice_but_a_second_import_adds_none(
    engine, shop, tmp_path, import_text
):
    log = "user_id,item_id,kind\nanna,m1,view\nanna,m1,view\n"
    import_dataset(engine, open_dataset(shop, content="items"))
    assert import_text(tmp_path, "events.csv", log).interactions_inserted == 2
    assert import_text(tmp_path, "events.csv", log).duplicates == 2


def test_interactions_of_the_same_time_keep_the_order_of_the_lines(engine, shop, rows, tmp_path, import_text):
    import_dataset(engine, open_dataset(shop, content="items"))
    log = "user_id,item_id,kind,timestamp\n" + "".join(f"anna,m{n},view,0\n" for n in (3, 1, 2))
    import_text(tmp_path, "events.csv", log)
    assert rows(
        "select i.external_id from recsys.interactions a join recsys.items i on i.id = item_id order by a.id"
    ) == [("m3",), ("m1",), ("m2",)]


TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LOG_HEAD = "user_id,item_id,kind,value,event_id,occurred_at\nanna,m1,view,,e1,2026-01-01\n"
ITEMS_HEAD = "item_id,title,price\nm9,good,1\n"
REFUSED = [
    ("events.csv", LOG_HEAD + "anna,m99,view,,,0\n", 3, "item 'm99' does not exist"),
    ("events.csv", LOG_HEAD + "anna,m1,stare,,,0\n", 3, "interaction kind 'stare' does not exist"),
    ("events.csv", LOG_HEAD + "anna,m1,rating,,,0\n", 3, "an interaction of kind 'rating' needs a value"),
    ("events.csv", LOG_HEAD + "anna,m1,rating,NaN,,0\n", 3, "value is 'NaN', not a number"),
    ("events.csv", LOG_HEAD + f"anna,m1,view,,,{TOMORROW}\n", 3, "in the future"),
    ("events.csv", LOG_HEAD + "anna,m2,view,,e1,0\n", 3, "event_id 'e1' was recorded for user"),
    ("events.csv", LOG_HEAD + ",m1,view,,,0\n", 3, "user_id is empty"),
    ("events.csv", LOG_HEAD + "anna,m1\n", 3, "it has 2 fields instead of 6"),
    ("products.csv", ITEMS_HEAD + "m8,x,-1\n", 3, "price is '-1', not a price"),
    ("products.csv", ITEMS_HEAD + "m9,again,1\n", 3, "item 'm9' is on line 2 already"),
    ("customers.csv", "user_id\nx\ny\nx\n", 4, "user 'x' is on line 2 already"),
]


@pytest.mark.parametrize(("name", "content", "line", "message"), REFUSED)
def test_one_bad_line_is_named_and_nothing_is_imported(
    engine, shop, *, name, content, line, message, everything, import_text
):
    import_dataset(engine, open_dataset(shop, content="items"))
    with engine.connect() as connection:
        before = everything(lambda query: connection.execute(sa.text(query)).fetchall())
    with pytest.raises(InvalidRecordError, match=f"^{name}, line {line}: ") as caught:
        import_text(shop, name, content)
    assert message in caught.value.message
    assert caught.value.line == line
    assert "Nothing was imported" in caught.value.hint
    with engine.connect() as connection:
        assert everything(lambda query: connection.execute(sa.text(query)).fetchall()) == before


@pytest.mark.parametrize(("name", "content", "line", "message"), REFUSED)
def test_one_bad_line_is_left_out_on_request(engine, shop, *, name, content, line, message, import_text):
    import_dataset(engine, open_dataset(shop, content="items"))
    report = import_text(shop, name, content, skip_invalid=True)
    assert report.skipped_count == 1
    [skipped] = report.skipped
    assert (skipped.file, skipped.line) == (name, line)
    assert message in skipped.message
    assert report.items_inserted + report.users_inserted + report.interactions_inserted >= 1
    assert report.duplicates == 0


def test_of_many_bad_lines_the_first_hundred_are_listed(engine, shop, tmp_path, import_text):
    import_dataset(engine, open_dataset(shop, content="items"))
    log = LOG_HEAD + "anna,m99,view,,,0\n" * 250 + "anna,m1\n" * 10
    report = import_text(tmp_path, "events.csv", log, skip_invalid=True)
    assert (report.skipped_count, len(report.skipped), report.interactions_inserted) == (260, 100, 1)
    with pytest.raises(InvalidRecordError, match=r"'m99' does not exist\. 249 more lines are refused"):
        import_text(tmp_path, "events.csv", LOG_HEAD + "anna,m99,view,,,0\n" * 250)


def test_an_error_in_the_last_file_undoes_the_first(engine, shop, rows):
    change(shop, "interactions.csv", "carl,m3,like", "carl,m3,adore")
    with pytest.raises(InvalidRecordError, match="'adore'"):
        import_dataset(engine, open_dataset(shop))
    assert rows("select count(*) from recsys.items") == [(0,)]
    assert rows("select count(*) from recsys.users") == [(0,)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(
            lambda text: not text.isspace()
        ),
        min_size=3,
        max_size=3,
    )
)
def test_any_text_arrives_as_it_was_written(engine, rows, tmp_path, texts):
    title, description, value = texts
    with (tmp_path / "items.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("item_id", "title", "description", "note"), ("1", f"x{title}", description, value)]
        )
    import_dataset(engine, Dataset(items=read_items(tmp_path / "items.csv", attributes=("note",))))
    assert rows("select title, description, attributes->>'note' from recsys.items") == [
        (f"x{title}", description or None, value or None)
    ]


HOSTILE = '\'); drop table recsys.items; -- "🎬" \\ %s {0}'


def test_hostile_and_huge_texts_are_only_texts(engine, rows, tmp_path):
    huge = HOSTILE * 30_000
    line = {"item_id": HOSTILE, "title": huge, "description": huge, "tags": [HOSTILE], "category": HOSTILE}
    (tmp_path / "items.jsonl").write_text(json.dumps(line | {"note": huge}), encoding="utf-8")
    source = read_items(tmp_path / "items.jsonl", attributes=("note",))
    assert import_dataset(engine, Dataset(items=source)).items_inserted == 1
    assert rows("select external_id, tags, category, attributes->>'note', title from recsys.items") == [
        (HOSTILE, [HOSTILE], HOSTILE, huge, huge)
    ]


def test_applications_read_and_write_while_an_import_runs(engine, shop, rows):
    import_dataset(engine, open_dataset(shop))
    change(shop, "items.csv", "The Matrix", "Matrix")
    seen = []

    def progress(phase, done, total):
        if phase == "counting popularity" and not seen:
            with engine.begin() as other:
                other.execute(sa.text("set local lock_timeout = '2s'"))
                other.execute(sa.text("update recsys.items set price = 1 where external_id in ('m1', 'm3')"))
                other.execute(
                    sa.text(
                        "select recsys_api.record_interaction(recsys_api.ensure_user('dora'),"
                        " recsys_api.item_id('m1'), 'view')"
                    )
                )
                seen.append(other.scalar(sa.text("select title from recsys.items where external_id = 'm1'")))

    (shop / "interactions.csv").write_text("user_id,item_id,kind\nanna,m1,cart\n", encoding="utf-8")
    import_dataset(engine, open_dataset(shop), progress=progress)
    # what the import wrote is there for all, and nobody waits for it
    assert seen == ["Matrix"]
    assert rows("select price::text from recsys.items order by id") == [("1",), ("12.50",), ("1",)]


CUT_IMPORT = (
    "select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database"
    " where l.locktype = 'advisory' and d.datname = current_database() and l.pid <> pg_backend_pid()"
)


@pytest.mark.parametrize("phase", ["reading interactions.csv", "writing items", "writing interactions"])
def test_a_lost_connection_is_one_error_and_repeated_the_import_does_the_rest(
    engine, shop, rows, monkeypatch, phase, *, everything
):
    monkeypatch.setattr("recsys_pg.importing.entities.CHUNK", 2)
    cut = []

    def progress(at, done, total):
        if at == phase and (done or at != "writing items"):
            cut.append(done)
            rows(CUT_IMPORT)

    with pytest.raises(DatabaseUnavailableError):
        import_dataset(engine, open_dataset(shop), progress=progress)
    assert len(cut) == 1
    [(there,)] = rows("select count(*) from recsys.items")
    assert there == {"reading interactions.csv": 0, "writing items": 2, "writing interactions": 3}[phase]
    report = import_dataset(engine, open_dataset(shop))
    assert (report.items_inserted, report.items_updated) == (3 - there, 0)
    assert report.interactions_inserted == 3
    assert rows("select count(*) from recsys.embedding_jobs") == [(3,)]
    again = everything()
    import_dataset(engine, open_dataset(shop))
    assert everything() == again


def test_a_second_import_waits_for_the_first(engine, shop, rows, tmp_path):
    import_dataset(engine, open_dataset(shop))
    (tmp_path / "events.csv").write_text("user_id,item_id,kind\nanna,m3,view\n", encoding="utf-8")
    dataset = open_dataset(tmp_path / "events.csv")
    reports = []
    second = threading.Thread(target=lambda: reports.append(import_dataset(engine, dataset)))

    def progress(phase, done, total):
        if phase == "counting popularity":
            second.start()
            while second.is_alive() and not rows("select from pg_locks where not granted"):
                time.sleep(0.01)

    assert import_dataset(engine, dataset, progress=progress).interactions_inserted == 1
    second.join()
    assert [(report.interactions_inserted, report.duplicates) for report in reports] == [(0, 1)]


def test_progress_is_told_by_phase(engine, shop):
    told = []
    import_dataset(engine, open_dataset(shop), progress=lambda *step: told.append(step))
    assert told == [
        ("reading items.csv", 0, None),
        ("reading users.csv", 0, None),
        ("reading interactions.csv", 0, None),
        ("writing items", 0, 3),
        ("writing items", 3, 3),
        ("writing users", 0, 2),
        ("writing users", 2, 2),
        ("writing interactions", 0, 3),
        ("writing interactions", 3, 3),
        ("counting popularity", 0, None),
    ]


@pytest.mark.parametrize(
    ("damage", "options", "error", "message"),
    [
        ("drop schema recsys cascade", "", SchemaNotReadyError, "Run: recsys-pg migrate"),
        ("drop table recsys.settings", "", SchemaNotReadyError, "settings"),
        ("select", "default_transaction_read_only=on", ReadOnlyDatabaseError, "read-only"),
        ("select", "role=recsys_app", PermissionDeniedError, "permission denied"),
    ],
)
def test_a_database_that_cannot_take_it_is_named_before_files_are_read(
    url, shop, rows, *, damage, options, error, message
):
    rows(damage)
    engine = db.create_engine(f"{url} options='{f'-c {options}' if options else ''}'", poolclass=sa.NullPool)
    told = []
    with pytest.raises(error, match=message):
        import_dataset(engine, open_dataset(shop), progress=lambda *step: told.append(step))
    assert told == []


def test_movielens_is_imported_and_repeated(engine, rows, shared_data):
    dataset = open_dataset(shared_data / "ml-latest-small")
    report = import_dataset(engine, dataset)
    assert (report.items_inserted, report.users_inserted) == (9742, 610)
    assert report.interactions_inserted == 100_836
    assert rows("select title, category, attributes from recsys.items where external_id = '2571'") == [
        ("The Matrix", "Action", {"year": 1999})
    ]
    report = import_dataset(engine, dataset)
    assert (report.items_updated, report.interactions_inserted, report.duplicates) == (0, 0, 100_836)


def test_items_that_a_feed_lacks_are_deactivated_on_request_only(engine, shop, rows, tmp_path, import_text):
    import_dataset(engine, open_dataset(shop))
    rows("insert into recsys.items (id, title) values (1000, 'without a key')")
    rows("update recsys.items set in_stock = true")
    feed = tmp_path / "feed"
    feed.mkdir()
    lines = ITEMS.splitlines(keepends=True)
    (feed / "items.csv").write_text("".join(lines[:2]) + "m4,New,,,,,\n", encoding="utf-8")
    stock = "select external_id, in_stock from recsys.items order by external_id"
    assert import_dataset(engine, open_dataset(feed)).items_deactivated == 0
    assert all(in_stock for _, in_stock in rows(stock))
    with pytest.raises(InvalidArgumentError, match=r"3 of 5 items would become out of stock.*more than 50%"):
        import_dataset(engine, open_dataset(feed), deactivate_missing=0.5)
    assert all(in_stock for _, in_stock in rows(stock))
    assert import_dataset(engine, open_dataset(feed), deactivate_missing=0.6).items_deactivated == 3
    assert rows(stock) == [("m1", True), ("m2", False), ("m3", False), ("m4", True), (None, False)]
    assert import_dataset(engine, open_dataset(feed), deactivate_missing=0).items_deactivated == 0
    with pytest.raises(InvalidArgumentError, match="no file of items"):
        import_text(tmp_path, "events.csv", LOG, deactivate_missing=1)
