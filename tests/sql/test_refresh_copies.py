"""refresh_copies mends recsys.searchable_items and recsys.item_texts after triggers were off."""

import threading
import time

import psycopg
import pytest
from psycopg import sql

NARROW = "recsys.searchable_items"
TEXTS = "recsys.item_texts"
OTHER_VECTOR = "(select embedding from recsys.items where id = 2)"
DIFFERENCES = {
    NARROW: """
        select id, price, recsys.kept_price_band(
                (select s.price_band from recsys.searchable_items s where s.id = i.id), price),
            in_stock, category, created_at, recsys.embedding_code(embedding), tags, attributes
        from recsys.items i where embedding is not null
    """,
    TEXTS: """
        select i.id, l.language, recsys.text_key(i.external_id), md5(recsys.text_key(i.title))::uuid,
            recsys.title_words(l.language::regconfig, i.title),
            recsys.item_document(l.language::regconfig, i.title, i.description, i.category, i.tags)
        from recsys.items i, recsys.catalogue_language l
    """,
}
# what is done while triggers are off, and the missing, wrong and superfluous rows of either copy after it
DAMAGE = {
    "price": ("update recsys.items set price = 1234.5 where id = 1", (0, 1, 0), (0, 0, 0)),
    "no price": ("update recsys.items set price = null where id = 1", (0, 1, 0), (0, 0, 0)),
    "in_stock": ("update recsys.items set in_stock = not in_stock where id <= 20", (0, 20, 0), (0, 0, 0)),
    "attributes": ("update recsys.items set attributes = '{\"a\": 1}' where id = 1", (0, 1, 0), (0, 0, 0)),
    "created_at": ("update recsys.items set created_at = '2020-02-02' where id = 1", (0, 1, 0), (0, 0, 0)),
    "another vector": (
        f"update recsys.items set embedding = {OTHER_VECTOR} where id = 1",
        (0, 1, 0),
        (0, 0, 0),
    ),
    "a first vector": (
        "update recsys.items i set embedding = j.embedding, embedding_model_id = j.embedding_model_id,"
        " embedding_content_hash = i.content_hash from recsys.items j where i.id in (58, 60) and j.id = 2",
        (2, 0, 0),
        (0, 0, 0),
    ),
    "no vector": (
        "update recsys.items set embedding = null, embedding_model_id = null, embedding_content_hash = null"
        " where id in (1, 2)",
        (0, 0, 2),
        (0, 0, 0),
    ),
    "title": (
        "update recsys.items set title = 'Another', embedding = null, embedding_model_id = null,"
        " embedding_content_hash = null where id = 1",
        (0, 0, 1),
        (0, 1, 0),
    ),
    "description": ("update recsys.items set description = 'Aliens.' where id = 60", (0, 0, 0), (0, 1, 0)),
    "tags": ("update recsys.items set tags = '{aliens}' where id = 60", (0, 0, 0), (0, 1, 0)),
    "external_id": ("update recsys.items set external_id = 'Key' where id = 1", (0, 0, 0), (0, 1, 0)),
    "insert": ("insert into recsys.items (title) values ('New'), ('Newer')", (0, 0, 0), (2, 0, 0)),
    "insert with a vector": (
        "insert into recsys.items (title, embedding, embedding_model_id, embedding_content_hash)"
        " select 'New', embedding, embedding_model_id,"
        " recsys.item_content_hash('New', null, null, '{}') from recsys.items where id = 2",
        (1, 0, 0),
        (1, 0, 0),
    ),
    "delete": ("delete from recsys.items where id in (1, 2, 58)", (0, 0, 2), (0, 0, 3)),
    "id": ("update recsys.items set id = 1001 where id = 1", (1, 0, 1), (1, 0, 1)),
    "band": (f"update {NARROW} set price_band = 3 where id = 1", (0, 1, 0), (0, 0, 0)),
    "code": (f"update {NARROW} set code = ~code where id in (1, 2)", (0, 2, 0), (0, 0, 0)),
    "lost rows": (f"delete from {NARROW} where id <= 3; delete from {TEXTS} where item_id <= 4",
                  (3, 0, 0), (4, 0, 0)),
    "lost copies": (f"truncate {NARROW}, {TEXTS}", (58, 0, 0), (60, 0, 0)),
    "words": (f"update {TEXTS} set document = '' where item_id = 1", (0, 0, 0), (0, 1, 0)),
    "title's words": (f"update {TEXTS} set title = '' where item_id = 1", (0, 0, 0), (0, 1, 0)),
    "title's hash": (f"update {TEXTS} set title_hash = md5('')::uuid where item_id = 1",
                     (0, 0, 0), (0, 1, 0)),
    "key": (f"update {TEXTS} set external_id = null where item_id = 1", (0, 0, 0), (0, 1, 0)),
    "language": (f"update {TEXTS} set language = 'german' where item_id = 1", (0, 0, 0), (0, 1, 0)),
    "all at once": (
        "update recsys.items set price = 3 where id = 1; delete from recsys.items where id = 2;"
        " insert into recsys.items (title) values ('New')",
        (0, 1, 1),
        (1, 0, 1),
    ),
}  # fmt: skip


def damage(connection, statements):
    """Run statements with all triggers off, those of foreign keys too."""
    connection.execute("set session_replication_role = replica")
    connection.execute(statements)
    connection.execute("set session_replication_role = origin")


def differences(connection):
    """Rows that are not as the items say, of both copies; compared without refresh_copies."""
    rows = []
    for copy, expected in DIFFERENCES.items():
        rows += connection.execute(
            f"(({expected}) except table {copy}) union all (table {copy} except ({expected}))"
        ).fetchall()
    return rows


def versions(connection):
    """Where each row of the copies lies, and who wrote or locked it last."""
    return [
        connection.execute(f"select ctid, xmin, xmax from {copy} order by ctid").fetchall()
        for copy in (NARROW, TEXTS)
    ]


def refresh(connection, arguments=""):
    return connection.execute(f"select * from recsys_api.refresh_copies({arguments})").fetchall()


NOTHING = [(NARROW, 0, 0, 0, 0, 0), (TEXTS, 0, 0, 0, 0, 0)]


@pytest.mark.parametrize(("statements", "narrow", "texts"), DAMAGE.values(), ids=DAMAGE)
def test_every_damage_is_counted_and_mended(catalogue, statements, narrow, texts):
    damage(catalogue, statements)
    assert differences(catalogue) != []
    assert refresh(catalogue, "dry_run => true") == [
        (NARROW, *narrow, 0, sum(narrow)),
        (TEXTS, *texts, 0, sum(texts)),
    ]
    assert differences(catalogue) != []
    assert refresh(catalogue) == [(NARROW, *narrow, sum(narrow), 0), (TEXTS, *texts, sum(texts), 0)]
    assert differences(catalogue) == []
    assert refresh(catalogue) == NOTHING


def test_nothing_is_written_or_locked_when_nothing_differs(catalogue):
    items = "select ctid, xmin, xmax from recsys.items order by ctid"
    before = versions(catalogue), catalogue.execute(items).fetchall()
    assert refresh(catalogue) == NOTHING
    assert (versions(catalogue), catalogue.execute(items).fetchall()) == before


def test_only_rows_that_differ_are_written(catalogue):
    damage(catalogue, "update recsys.items set price = 1234.5 where id = 1")
    before = versions(catalogue)
    refresh(catalogue)
    after = versions(catalogue)
    assert len(set(after[0]) - set(before[0])) == 1
    assert after[1] == before[1]


def test_a_dry_run_works_in_a_read_only_transaction(catalogue):
    damage(catalogue, "update recsys.items set price = 1234.5 where id = 1")
    catalogue.execute("set transaction read only")
    assert refresh(catalogue, "dry_run => true")[0] == (NARROW, 0, 1, 0, 0, 1)


def test_items_can_be_named(catalogue):
    damage(catalogue, "update recsys.items set price = 1234.5 where id in (1, 2, 3)")
    assert refresh(catalogue, "'{1,3,4,999}'")[0] == (NARROW, 0, 2, 0, 2, 0)
    assert {row[0] for row in differences(catalogue)} == {2}
    assert refresh(catalogue, "'{}'") == NOTHING


def test_words_of_the_language_before_are_right_until_the_change_is_complete(catalogue):
    catalogue.execute(
        "update recsys.catalogue_language set language = 'german', previous_language = 'english'"
    )
    assert refresh(catalogue) == NOTHING
    damage(catalogue, f"update {TEXTS} set document = '' where item_id = 1")
    assert refresh(catalogue)[1] == (TEXTS, 0, 1, 0, 1, 0)
    assert catalogue.execute(f"select item_id from {TEXTS} where language = 'german'").fetchall() == [(1,)]
    catalogue.execute("update recsys.catalogue_language set previous_language = null")
    assert refresh(catalogue)[1] == (TEXTS, 0, 59, 0, 59, 0)
    assert differences(catalogue) == []


@pytest.mark.parametrize("role", ["recsys_app", "recsys_reporter"])
@pytest.mark.parametrize("arguments", ["", "dry_run => true"])
def test_only_the_owner_may(role_server, catalogue, role, arguments):
    catalogue.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        refresh(catalogue, arguments)


# what another session does to a damaged item
WRITES = {
    "price": "update recsys.items set price = 77 where id = 1",
    "title": "update recsys.items set title = 'Newest' where id = 1",
    "vector": f"update recsys.items set embedding = {OTHER_VECTOR} where id = 1",
    "no vector": "update recsys.items set embedding = null where id = 1",
    "delete": "delete from recsys.items where id = 1",
}
SPOILT = {
    "wrong": f"update {NARROW} set price = 3, code = ~code where id <= 5;"
    f" update {TEXTS} set document = '' where item_id <= 5",
    "missing": f"delete from {NARROW} where id <= 5; delete from {TEXTS} where item_id <= 5",
}


def prepare(connection, statements):
    connection.execute("truncate recsys.interactions, recsys.item_popularity, recsys.item_neighbors")
    damage(connection, statements)


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_change_that_is_under_way_is_waited_for_and_stays(catalogue_url, spoilt, write, end):
    with (
        psycopg.connect(catalogue_url) as writer,
        psycopg.connect(catalogue_url, autocommit=True) as owner,
    ):
        prepare(owner, spoilt)
        writer.execute(write)
        found = []
        refreshing = threading.Thread(target=lambda: found.extend(refresh(owner)))
        refreshing.start()
        time.sleep(0.3)
        assert refreshing.is_alive()
        getattr(writer, end)()
        refreshing.join()
        assert [row[-1] for row in found] == [0, 0]
        assert differences(owner) == []


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_change_that_comes_after_is_newest(catalogue_url, spoilt, write):
    with (
        psycopg.connect(catalogue_url) as owner,
        psycopg.connect(catalogue_url, autocommit=True) as writer,
    ):
        prepare(owner, spoilt)
        owner.commit()
        assert [row[-2:] for row in refresh(owner)] == [(5, 0), (5, 0)]
        writing = threading.Thread(target=writer.execute, args=(write,))
        writing.start()
        time.sleep(0.2)
        assert writing.is_alive()
        owner.commit()
        writing.join()
        assert differences(owner) == []


def test_rows_that_others_hold_for_long_are_left_and_told(catalogue_url):
    with (
        psycopg.connect(catalogue_url) as writer,
        psycopg.connect(catalogue_url, autocommit=True) as owner,
    ):
        prepare(owner, SPOILT["wrong"])
        # item 5 first: who waits for its row while holding item 1 would be in a deadlock
        writer.execute("update recsys.items set price = 8 where id = 5")
        found = []
        refreshing = threading.Thread(target=lambda: found.extend(refresh(owner)))
        refreshing.start()
        time.sleep(0.3)
        writer.execute("update recsys.items set price = 8 where id = 1")
        refreshing.join()
        writer.commit()
        assert found == [(NARROW, 0, 5, 0, 4, 1), (TEXTS, 0, 5, 0, 4, 1)]
        assert {row[0] for row in differences(owner)} == {5}
        assert [row[-2:] for row in refresh(owner)] == [(1, 0), (1, 0)]
        assert differences(owner) == []


def test_an_item_that_is_inserted_where_a_row_was_left_behind_keeps_its_row(catalogue_url):
    with (
        psycopg.connect(catalogue_url) as writer,
        psycopg.connect(catalogue_url, autocommit=True) as owner,
    ):
        prepare(
            owner, "delete from recsys.items where id = 1; delete from recsys.item_texts where item_id = 1"
        )
        writer.execute(
            "insert into recsys.items (id, title, embedding)"
            f" values (1, 'New', {OTHER_VECTOR.replace('id = 2', 'id = 3')})"
        )
        refreshing = threading.Thread(target=refresh, args=(owner,))
        refreshing.start()
        time.sleep(0.3)
        writer.commit()
        refreshing.join()
        assert owner.execute(f"select count(*) from {NARROW} where id = 1").fetchone() == (1,)
        assert differences(owner) == []
