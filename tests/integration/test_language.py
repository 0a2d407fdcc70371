"""Changing the language of the catalogue: complete, resumable, and harmless to those who search and write."""

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import errors
from recsys_pg.language import CatalogueLanguage, read_language, set_language
from recsys_pg.recommender import Recommender


@pytest.fixture
def shop(engine: sa.Engine) -> sa.Engine:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into recsys.items (title) select 'Die alten Häuser ' || i"
                " from generate_series(1, 2500) i"
            )
        )
    return engine


def found(engine: sa.Engine, query: str) -> int:
    with Session(engine) as session:
        return len(Recommender(session).search_text(query, 1000))


def languages(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select language, count(*) from recsys.item_texts group by 1"))
        return dict(rows.all())


def test_the_default_is_english_and_all_that_the_database_knows_is_listed(engine):
    now = read_language(engine)
    assert (now.language, now.previous_language) == ("english", None)
    assert {"english", "german", "simple", "spanish"} <= set(now.known)


def test_a_change_lists_all_items_anew_with_progress(shop):
    steps = []
    assert found(shop, "haus") == 0
    assert set_language(shop, "german", lambda *step: steps.append(step)) == 2500
    assert steps[-1] == ("items", 2500, 2500)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    assert languages(shop) == {"german": 2500}
    assert read_language(shop).previous_language is None
    assert found(shop, "haus") == 1000
    assert set_language(shop, "german") == 0


def test_the_words_are_as_if_they_had_been_written_in_that_language(shop):
    set_language(shop, "german")
    with shop.begin() as connection:
        wrong = connection.scalar(
            sa.text(
                "select count(*) from recsys.item_texts t join recsys.items i on i.id = t.item_id"
                " where t.title <> recsys.title_words('german', i.title) or t.document <>"
                " recsys.item_document('german', i.title, i.description, i.category, i.tags)"
            )
        )
    assert wrong == 0


def test_an_interrupted_change_goes_on_from_where_it_was(shop):
    def stop(phase: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        set_language(shop, "german", stop)
    assert languages(shop) == {"english": 1500, "german": 1000}
    assert read_language(shop).previous_language == "english"
    assert found(shop, "alten Häuser") == 1000  # by the words of either language
    with pytest.raises(errors.InvalidArgumentError, match="from english to german was interrupted"):
        set_language(shop, "spanish")
    assert set_language(shop, "german") == 1500
    assert languages(shop) == {"german": 2500}


def test_an_interrupted_change_can_be_taken_back(shop):
    def stop(phase: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        set_language(shop, "german", stop)
    assert set_language(shop, "english") == 1000
    assert languages(shop) == {"english": 2500}
    now = read_language(shop)
    assert (now.language, now.previous_language) == ("english", None)


def test_a_transaction_that_was_writing_items_leaves_none_in_the_old_language(shop):
    thread = threading.Thread(target=set_language, args=(shop, "german"))
    with shop.connect() as writer:
        writer.execute(sa.text("insert into recsys.items (title) values ('Eine Eisenbahn')"))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        writer.commit()
    thread.join(30)
    assert languages(shop) == {"german": 2501}


def test_an_item_that_is_being_written_meanwhile_is_waited_for_at_the_end(shop):
    began = threading.Event()
    go_on = threading.Event()

    def progress(phase: str, done: int, total: int | None) -> None:
        began.set()
        go_on.wait(10)

    thread = threading.Thread(target=set_language, args=(shop, "german", progress))
    thread.start()
    assert began.wait(10)
    with shop.connect() as writer:
        writer.execute(sa.text("update recsys.items set title = 'Zwei Eisenbahnen' where id = 2400"))
        go_on.set()
        thread.join(0.5)
        assert thread.is_alive()
        writer.commit()
    thread.join(30)
    assert languages(shop) == {"german": 2500}


@pytest.mark.parametrize(
    "language", ["klingon", "", "English", "german; drop table recsys.items", "x" * 5000]
)
def test_an_unknown_language_is_refused_and_the_known_ones_are_named(engine, language):
    with pytest.raises(errors.InvalidArgumentError, match=r"Choose one of .*english.*simple") as raised:
        set_language(engine, language)
    assert len(str(raised.value)) < 1000
    assert read_language(engine).language == "english"


def test_a_configuration_of_ones_own_is_named_with_its_schema(shop):
    with shop.begin() as connection:
        connection.execute(sa.text('create text search configuration public."Shop" (copy = german)'))
    assert set_language(shop, 'public."Shop"') == 2500
    assert found(shop, "haus") == 1000


def test_only_the_owner_changes_the_language(shop):
    with shop.connect() as connection:
        connection.execute(sa.text("set role recsys_app"))
        assert isinstance(read_language(shop), CatalogueLanguage)
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            connection.execute(sa.text("lock table recsys.items in share mode"))
