"""search and language: what they list, for people and for programs, with and without a model."""

import pytest
import sqlalchemy as sa

from recsys_pg import db
from recsys_pg.errors import MissingDependencyError

COLUMNS = {
    *("rank", "item_id", "external_id", "title", "category", "price", "in_stock", "score"),
    *("reason", "words_rank", "meaning_rank", "searched_by_meaning"),
}


@pytest.fixture
def no_model(monkeypatch):
    """As if the extra embed were not installed."""

    def refuse():
        raise MissingDependencyError("Embedding texts needs torch.", 'Run: pip install "recsys-pg[embed]".')

    monkeypatch.setattr("recsys_pg.cli.embedder.load_embedder", refuse)


def ids(outcome):
    assert outcome.code == 0, outcome.err
    return [row["item_id"] for row in outcome.json]


def test_words_find_items_without_a_model(cli, shop):
    listed = cli("search", "matrix", "--words-only", "--json", "--database-url", shop)
    assert listed.err == ""
    assert ids(listed) == [1, 2]
    assert all(row.keys() == COLUMNS for row in listed.json)


def test_without_the_extra_a_note_says_that_only_words_are_searched(cli, shop, no_model):
    listed = cli("search", "matrix", "--json", "--database-url", shop)
    assert ids(listed) == [1, 2]
    assert listed.err.startswith("Searching by words only.")
    assert "pip install" in listed.err
    assert listed.err.count("\n") == 1


def test_people_get_a_table_that_says_what_matched(cli, shop):
    listed = cli("search", "sku-6", "--words-only", "--database-url", shop)
    header, first, *_ = listed.out.splitlines()
    assert header.split() == ["#", "id", "title", "category", "price", "stock", "score", "reason"]
    assert first.split()[1:3] == ["6", "Alien"]
    assert first.rstrip().endswith("code")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("alien",), [6]),
        (("alien", "--out-of-stock"), [7]),
        (("matrix", "--max-price", "10"), [1]),
        (("matrix", "--exclude-item", "1"), [2]),
        (("matrix -reloaded",), [1]),
        (("robots",), [1]),
        (("1984",), [5]),
        (("--", "-x matrix"), [1, 2]),
    ],
)
def test_filters_and_operators_choose_what_is_listed(cli, shop, arguments, expected):
    options = ("--words-only", "--json", "--database-url", shop, "-n", "5")
    assert ids(cli("search", *options, *arguments))[: len(expected)] == expected


def test_nothing_found_is_said_to_people_and_is_no_error(cli, shop):
    listed = cli("search", "zeppelin", "--words-only", "--database-url", shop)
    assert (listed.code, listed.out) == (0, "No items: none matches.\n")
    listed = cli("search", "matrix", "--words-only", "--category", "Nothing", "--database-url", shop)
    assert (listed.code, listed.out) == (0, "No items: none of those that pass the filter matches.\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "it is empty"), ("x" * 5000, "5000 characters"), ("-- -x", "what to leave out")],
)
def test_a_text_that_asks_for_nothing_is_a_wrong_argument(cli, shop, text, message):
    failed = cli("search", "--words-only", "--database-url", shop, "--", text.removeprefix("-- "))
    assert failed.code == 2
    assert message in failed.error()
    assert len(failed.error()) < 400


def test_a_text_that_is_kept_loads_no_model(cli, own_shop, no_model):
    engine = db.create_engine(own_shop, poolclass=sa.NullPool)
    with engine.begin() as connection:
        ones = "array_fill(1::real, array[384])::vector"
        connection.execute(sa.text(f"update recsys.items set embedding = {ones} where id = 5"))
        connection.execute(sa.text(f"select recsys_api.remember_query('big brother', {ones})"))
    listed = cli("search", "Big Brother", "--json", "--database-url", own_shop)
    assert ids(listed) == [5]
    assert listed.err == ""
    assert listed.json[0]["searched_by_meaning"] is True


def test_the_language_is_shown_and_changed(cli, own_shop):
    shown = cli("language", "--database-url", own_shop)
    assert shown.out.splitlines()[0] == "The catalogue is in english."
    assert "german" in shown.out
    changed = cli("language", "german", "--database-url", own_shop)
    assert (changed.code, changed.out) == (0, "Listed 8 items by their words in german.\n")
    again = cli("language", "german", "--database-url", own_shop)
    assert again.out == "Nothing to do: the catalogue is in german.\n"
    assert cli("language", "--json", "--database-url", own_shop).json["language"] == "german"
    assert cli("language", "simple", "--json", "--database-url", own_shop).json == {
        "language": "simple",
        "items": 8,
    }


def test_an_unknown_language_is_a_wrong_argument_and_the_known_ones_are_named(cli, own_shop):
    failed = cli("language", "klingon", "--database-url", own_shop)
    assert failed.code == 2
    assert "'klingon'" in failed.error()
    assert "english" in failed.error()
