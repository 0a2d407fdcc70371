"""search_text: by meaning, by words and by codes, fused into one list, under every filter."""

import psycopg
import pytest
from psycopg.rows import namedtuple_row

LONG = "x" * 102_400
SHOP = r"""
insert into recsys.items (id, external_id, title, description, category, tags, price) values
    (1, 'SKU-4711', 'Blue mug', 'For tea by the camp fire.', 'Kitchen', '{camping}', 9.9),
    (2, 'sku-4712', 'Wooden train', 'Beech, with a whistle.', 'Toys', '{wood}', 25),
    (3, null, 'Train set', 'Forty parts, wooden rails. A train for everybody.', 'Toys', '{plastic}', 60),
    (4, null, 'Rails', 'For every wooden train.', 'Toys', '{wood}', 12),
    (5, null, 'iPhone 15 case', 'Black leather.', 'Phones', '{case}', 19),
    (6, null, 'iPhone 14 case', 'Black leather.', 'Phones', '{case}', 19),
    (7, '2', 'Toy Story 2', 'The toys travel.', 'Films', '{}', 5),
    (8, null, 'Hikvision DS-7604NI-E1/4P/A', 'See node.js/http://example.org/manual', 'Video', '{}', 99),
    (9, null, 'The Who', 'A band from London.', 'Music', '{}', 15),
    (10, null, 'University cap', null, 'Clothing', '{wool}', 8),
    (11, null, '🦖 Ωmega {braces} "quotes" back\slash', null, null, '{}', null);
"""


@pytest.fixture
def shop(catalogue) -> psycopg.Connection:
    """A shop in place of the films, without a vector."""
    catalogue.execute("delete from recsys.items")
    catalogue.execute(SHOP)
    return catalogue


def search(connection, query, arguments=""):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(f"select * from recsys_api.search_text(%s{arguments})", (query,)).fetchall()


def ids(connection, query, arguments=""):
    return [row.item_id for row in search(connection, query, arguments)]


def embed(connection, item_id, axis):
    """Give an item the unit vector along an axis, and a little of the first."""
    connection.execute(
        "update recsys.items set embedding = (select array_agg(case when d = %s then 1 when d = 1 then .2"
        " else 0 end::real order by d) from generate_series(1, 384) d)::vector where id = %s",
        (axis, item_id),
    )


def remember(connection, query, axis=1):
    connection.execute(
        "select recsys_api.remember_query(%s, (select array_agg(case when d = %s then 1 else 0 end::real"
        " order by d) from generate_series(1, 384) d)::vector)",
        (query, axis),
    )


def add_trains(connection, plastic, wooden):
    """Trains from id 1001 on, each further from axis 1 than the one before; first those of plastic."""
    connection.execute(
        """
        insert into recsys.items (id, title, description, category, embedding)
        select 1000 + g, 'Train ' || g, case when g <= %(plastic)s then 'Plastic.' else 'Beech.' end,
            case g %% 2 when 0 then 'Even' else 'Odd' end,
            (select array_agg(case d when 1 then 1000 when 2 then g else 0 end::real order by d)
             from generate_series(1, 384) d)::vector
        from generate_series(1, %(plastic)s + %(wooden)s) g
        """,
        {"plastic": plastic, "wooden": wooden},
    )


# words


def test_a_title_that_is_the_text_comes_first_then_words_in_titles_then_anywhere(shop):
    rows = search(shop, "wooden train", ", n => 3")
    assert [row.item_id for row in rows] == [2, 3, 4]
    assert [row.reason for row in rows] == ["title, words", "words", "words"]
    assert [row.rank for row in rows] == [1, 2, 3]
    assert rows[0].score > 1 > rows[1].score
    assert ids(shop, "train wooden", ", n => 1") == [2]


def test_words_are_found_by_their_stem_in_title_category_tags_and_description(shop):
    assert set(ids(shop, "trains", ", n => 2")) == {2, 3}
    assert ids(shop, "camping") == [1]
    assert ids(shop, "kitchen") == [1]
    assert ids(shop, "whistles") == [2]


def test_the_beginning_of_a_word_finds_it_when_the_word_does_not(shop):
    assert ids(shop, "hikvis") == [8]
    assert ids(shop, "universi") == [10]
    assert ids(shop, "iphone cas", ", n => 2") == [5, 6]


def test_when_no_item_has_all_words_those_with_more_of_them_come_first(shop):
    found = ids(shop, "wooden train with a parachute")
    assert found[0] == 2
    assert set(found) == {2, 3, 4}


@pytest.mark.parametrize(
    "query", ["DS-7604NI-E1/4P/A", "DS-7604NI", "ds 7604ni", "hikvision 4p/a", "node.js", "http", "manual"]
)
def test_parts_of_codes_and_addresses_are_words(shop, query):
    assert ids(shop, query)[0] == 8


def test_words_of_a_number_only_are_words(shop):
    assert ids(shop, "iphone 15 case", ", n => 2") == [5, 6]
    assert search(shop, "iphone 15 case")[0].reason == "title, words"


def test_stop_words_alone_find_titles_of_stop_words(shop):
    assert ids(shop, "the who") == [9]
    assert ids(shop, "who the") == [9]
    assert ids(shop, "the mug") == [1]


def test_quotes_or_and_minus_mean_what_they_say(shop):
    assert set(ids(shop, "mug or rails")) >= {1, 4}
    assert ids(shop, '"wooden train"')[:2] == [2, 4]
    assert 3 not in ids(shop, '"wooden train"', ", n => 2")
    assert set(ids(shop, "train -beech")) == {3, 4}
    assert set(ids(shop, 'train -"forty parts"')) == {2, 4}


# codes


@pytest.mark.parametrize("query", ["SKU-4711", "sku-4711", "  Sku-4711 "])
def test_an_external_id_finds_its_item_whatever_the_case(shop, query):
    row = search(shop, query)[0]
    assert (row.item_id, row.reason) == (1, "code")
    assert row.score > 1


def test_a_code_among_other_words_finds_its_item(shop):
    rows = search(shop, 'the price of "sku-4712", please')
    assert rows[0].item_id == 2
    assert rows[0].reason.startswith("code")


def test_a_small_number_among_other_words_is_no_code(shop):
    shop.execute("update recsys.items set title = 'Another film' where id = 7")
    assert 7 not in ids(shop, "iphone 2 case", ", n => 2")
    assert ids(shop, "2")[0] == 7


# fusion


def test_the_score_is_the_sum_of_reciprocal_ranks(shop):
    """By meaning: 1, 4, 2; by words: 4, 3. (The nearest has the smallest angle to axis 1.)"""
    shop.execute("update recsys.items set description = null, title = 'x' where id in (1, 2)")
    shop.execute("update recsys.items set description = null, title = 'Green lamp' where id = 4")
    shop.execute("update recsys.items set title = 'y', description = 'A green lamp.' where id = 3")
    embed(shop, 1, 1)
    shop.execute(
        """
        update recsys.items i set embedding = (
            select array_agg(case d when 1 then v.first when 2 then 1 else 0 end::real order by d)
            from generate_series(1, 384) d)::vector
        from (values (4, 0.8), (2, 0.3)) v (id, first) where i.id = v.id
        """
    )
    remember(shop, "lamps, green")
    rows = search(shop, "lamps, green")
    expected = {4: 1 / 61 + 1 / 62, 1: 1 / 61, 3: 1 / 62, 2: 1 / 63}
    assert [row.item_id for row in rows] == list(expected)
    assert [row.score for row in rows] == pytest.approx(list(expected.values()))
    assert [(row.words_rank, row.meaning_rank) for row in rows] == [(1, 2), (None, 1), (2, None), (None, 3)]
    assert [row.reason for row in rows] == ["words, meaning", "meaning", "words", "meaning"]


def test_equal_scores_come_by_id(shop):
    rows = search(shop, "black leather")
    assert [row.item_id for row in rows] == [5, 6]


# the kept embeddings


def test_a_text_is_searched_by_meaning_once_its_embedding_is_kept(shop):
    embed(shop, 9, 7)
    assert search(shop, "loud people mug")[0].searched_by_meaning is False
    assert 9 not in ids(shop, "loud people mug")
    remember(shop, "Loud  PEOPLE mug\n", 7)
    rows = search(shop, " loud people   Mug")
    assert {row.searched_by_meaning for row in rows} == {True}
    assert 9 in [row.item_id for row in rows]
    assert 1 in [row.item_id for row in rows]


def test_an_embedding_that_is_passed_is_used_and_not_kept(shop):
    embed(shop, 9, 7)
    given = ", query_embedding => (select embedding from recsys.items where id = 9)"
    (row,) = search(shop, "anything", given)
    assert (row.item_id, row.reason, row.searched_by_meaning) == (9, "meaning", True)
    assert search(shop, "anything") == []


def test_an_embedding_of_another_model_is_never_used(shop):
    embed(shop, 9, 7)
    remember(shop, "loud people", 7)
    assert ids(shop, "loud people") == [9]
    shop.execute("update recsys.models set is_active = false where purpose = 'embedding'")
    assert ids(shop, "loud people") == []
    (model_id,) = shop.execute(
        "insert into recsys.models (purpose, name, revision, is_active)"
        " values ('embedding', 'another', '1', true) returning id"
    ).fetchone()
    assert ids(shop, "loud people") == []
    remember(shop, "loud people", 7)
    assert shop.execute(
        "select count(*), count(*) filter (where model_id = %s) from recsys.query_embeddings", (model_id,)
    ).fetchone() == (2, 1)


def test_the_least_recently_used_texts_make_room(shop):
    shop.execute("update recsys.settings set value = '2' where key = 'search.cached_queries'")
    for number, text in enumerate(("first", "second", "third")):
        remember(shop, text)
        shop.execute(
            "update recsys.query_embeddings set last_used_at = now() - %s * interval '1 second'"
            " where query = %s",
            (10 - number, text),
        )
    remember(shop, "fourth")
    kept = shop.execute("select query from recsys.query_embeddings order by last_used_at").fetchall()
    assert kept == [("third",), ("fourth",)]


def test_use_in_python_keeps_a_text_longer(shop):
    remember(shop, "old")
    shop.execute("update recsys.query_embeddings set last_used_at = now() - interval '2 days'")
    assert shop.execute("select recsys_api._use_query('OLD')").fetchone() == (True,)
    assert shop.execute("select last_used_at = now() from recsys.query_embeddings").fetchone() == (True,)
    assert shop.execute("select recsys_api._use_query('new')").fetchone() == (False,)


def test_nothing_is_kept_where_nothing_can_be_written(catalogue_url):
    vector = "(select embedding from recsys.items where id = 1)"
    keep = f"select recsys_api.remember_query('robots', {vector})".encode()
    with psycopg.connect(catalogue_url) as connection:
        connection.read_only = True
        assert connection.execute(keep).fetchone() == (False,)
        assert connection.execute("select recsys_api._use_query('robots')").fetchone() == (False,)
        assert search(connection, "horror")
    with psycopg.connect(catalogue_url) as connection:
        connection.execute("update recsys.settings set value = '0' where key = 'search.cached_queries'")
        assert connection.execute(keep).fetchone() == (False,)


def test_a_text_that_another_transaction_is_keeping_is_not_waited_for(catalogue_url):
    keep = "select recsys_api.remember_query('robots', (select embedding from recsys.items where id = 1))"
    with psycopg.connect(catalogue_url) as first, psycopg.connect(catalogue_url) as second:
        assert first.execute(keep).fetchone() == (True,)
        second.execute("set lock_timeout = '2s'")
        assert second.execute(keep).fetchone() == (False,)


# filters

FILTERS = {
    "categories => '{Drama}'": lambda item: item.category == "Drama",
    "in_stock => false": lambda item: not item.in_stock,
    "min_price => 20": lambda item: item.price is not None and item.price >= 20,
    "max_price => 3": lambda item: item.price is not None and item.price <= 3,
    "tags => '{classic,even}'": lambda item: {"classic", "even"} <= set(item.tags),
    "attributes => '{\"year\": 1975}'": lambda item: item.attributes["year"] == 1975,
    "item_ids => '{1,20,60}'": lambda item: item.id in (1, 20, 60),
    "item_ids => '{}'": lambda item: False,
    "exclude_item_ids => '{1,20}'": lambda item: item.id not in (1, 20),
    "categories => '{Comedy,Horror}', in_stock => true, max_price => 18, tags => '{odd}'": lambda item: (
        item.category in ("Comedy", "Horror")
        and item.in_stock
        and item.price is not None
        and item.price <= 18
        and "odd" in item.tags
    ),
}


@pytest.mark.parametrize("arguments", FILTERS)
@pytest.mark.parametrize("source", ["meaning", "words", "code", "title"])
def test_every_source_keeps_to_the_filter_and_finds_all_that_pass(catalogue, source, arguments):
    if source == "title":
        catalogue.execute("update recsys.items set title = 'Equal', category = category")
    query = {"meaning": "zzz", "words": "about", "title": "equal"}.get(source)
    if source == "words":
        catalogue.execute("update recsys.items set description = 'Everything on film.'")
        query = "everything films"
    if source == "code":
        query = " ".join(f"film-{i}" for i in (1, 2, 15, 20, 25, 40, 45, 60))
    embedding = ""
    if source == "meaning":
        embedding = ", query_embedding => (select embedding from recsys.items where id = 1)"
    cursor = catalogue.cursor(row_factory=namedtuple_row)
    items = cursor.execute("select * from recsys.items").fetchall()
    passing = {item.id for item in items if FILTERS[arguments](item)}
    if source == "meaning":
        passing &= {item.id for item in items if item.embedding is not None}
    rows = search(catalogue, query, f", 60, recsys_api.item_filter({arguments}){embedding}")
    found = {row.item_id for row in rows if source in row.reason.split(", ")}
    assert found == passing & ({1, 2, 15, 20, 25, 40, 45, 60} if source == "code" else passing)
    assert {row.item_id for row in rows} <= {item.id for item in items if FILTERS[arguments](item)}


def test_what_is_left_out_is_left_out_of_every_source(catalogue):
    given = ", 60, query_embedding => (select embedding from recsys.items where id = 1)"
    rows = search(catalogue, "film-1 horror -drama", given)
    assert {row.category for row in rows} == {"Comedy", "Horror", "Science"}


@pytest.mark.parametrize("plastic", [30, 60, 150])
def test_what_is_left_out_of_the_list_by_meaning_is_made_up_for(shop, plastic):
    add_trains(shop, plastic, wooden=80)
    remember(shop, "for children -plastic")
    rows = search(shop, "for children -plastic", ", n => 50")
    assert [row.item_id for row in rows] == list(range(1001 + plastic, 1051 + plastic))
    assert [row.meaning_rank for row in rows] == list(range(1, 51))
    assert {row.reason for row in rows} == {"meaning"}


def test_what_is_left_out_is_made_up_for_under_a_filter(shop):
    add_trains(shop, plastic=150, wooden=80)
    remember(shop, "for children -plastic")
    one_out = "exclude_item_ids => '{1151}'"
    assert ids(shop, "for children -plastic", f", 20, recsys_api.item_filter({one_out})") == list(
        range(1152, 1172)
    )
    even = f"categories => '{{Even}}', {one_out}"
    assert ids(shop, "for children -plastic", f", 20, recsys_api.item_filter({even})") == list(
        range(1152, 1192, 2)
    )


def test_where_fewer_are_left_than_asked_for_all_of_them_are_found(shop):
    add_trains(shop, plastic=150, wooden=7)
    remember(shop, "for children -plastic")
    assert ids(shop, "for children -plastic", ", n => 50") == list(range(1151, 1158))
    assert ids(shop, "for children -plastic -beech", ", n => 50") == []
    assert len(ids(shop, "for children -plastic", ", n => 1000")) == 7


# what is written


def test_what_is_written_is_found_in_the_same_transaction(shop):
    shop.execute("insert into recsys.items (id, external_id, title) values (50, 'NEW-1', 'Kettle')")
    assert ids(shop, "kettles") == [50]
    shop.execute("update recsys.items set title = 'Teapot', external_id = 'NEW-2' where id = 50")
    assert ids(shop, "kettles") == []
    assert ids(shop, "teapot") == [50]
    assert ids(shop, "new-2")[0] == 50
    shop.execute("delete from recsys.items where id = 50")
    assert ids(shop, "teapot") == []


def test_price_and_stock_write_no_words(shop):
    before = shop.execute("select xmin, ctid, item_id from recsys.item_texts order by item_id").fetchall()
    shop.execute("update recsys.items set price = price + 1, in_stock = not in_stock, attributes = '{}'")
    after = shop.execute("select xmin, ctid, item_id from recsys.item_texts order by item_id").fetchall()
    assert after == before


def test_huge_texts_can_be_written(shop):
    shop.execute(
        "insert into recsys.items (id, title, description, tags) values (50, %s, %s, %s)",
        (f"kettle {LONG}", f"steam {'word ' * 400_000}", ["tag" * 80] * 500),
    )
    assert ids(shop, "kettle") == ids(shop, "steam") == [50]


def test_who_may_only_write_the_catalogue_lists_the_words_too(role_server, shop):
    shop.execute("grant usage on schema recsys to recsys_reporter")
    shop.execute("grant select, insert on recsys.items to recsys_reporter")
    shop.execute("set local role recsys_reporter")
    shop.execute("insert into recsys.items (id, title) values (50, 'Kettle')")
    shop.execute("reset role")
    assert ids(shop, "kettle") == [50]


# language


def test_words_are_compared_in_the_language_of_the_catalogue(shop):
    shop.execute("update recsys.catalogue_language set language = 'german'")
    shop.execute("insert into recsys.items (id, title) values (50, 'Die bunten Eisenbahnen')")
    assert ids(shop, "bunte Eisenbahn") == [50]
    assert ids(shop, "die Eisenbahn") == [50]
    shop.execute("update recsys.catalogue_language set language = 'simple'")
    shop.execute("insert into recsys.items (id, title) values (51, 'Zwei Schiffe')")
    assert ids(shop, "zwei schiffe") == [51]
    assert ids(shop, "schiffes") == []


def test_while_the_language_is_changed_items_are_found_by_both(shop):
    shop.execute("update recsys.catalogue_language set language = 'german', previous_language = 'english'")
    shop.execute("insert into recsys.items (id, title) values (50, 'Die bunten Eisenbahnen')")
    assert ids(shop, "Eisenbahn") == [50]
    assert 2 in ids(shop, "trains")
    for words in ("to_tsvector('english', 'universities')", "to_tsvector('german', 'universities')"):
        (has_all,) = shop.execute(
            f"select {words} @@ all_words from recsys_api._text_query('universities')"
        ).fetchone()
        assert has_all


def test_a_language_that_was_dropped_does_not_stop_the_catalogue(shop):
    shop.execute("create text search configuration public.klingon (copy = pg_catalog.simple)")
    shop.execute("update recsys.catalogue_language set language = 'public.klingon'")
    shop.execute("insert into recsys.items (id, title) values (50, 'Qapla batlh')")
    assert ids(shop, "qapla") == [50]
    shop.execute("drop text search configuration public.klingon")
    shop.execute("insert into recsys.items (id, title) values (51, 'Nuqneh')")
    assert ids(shop, "nuqneh") == [51]


# bad input


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "the query is NULL"),
        ("", "the query is blank: ''"),
        (" \t\n ", "the query is blank"),
        (LONG, "the query has 102400 characters, more than 1000"),
        ("-train", "the query only says what to leave out: '-train'"),
        ('-"wooden train" -b', "the query only says what to leave out"),
    ],
    ids=["null", "empty", "blank", "100 KB", "minus", "minus phrase"],
)
def test_a_text_that_asks_for_nothing_is_refused(shop, query, message):
    with pytest.raises(psycopg.Error, match=message) as raised:
        search(shop, query)
    assert raised.value.sqlstate == "RS010"
    assert raised.value.diag.message_hint


@pytest.mark.parametrize(
    ("arguments", "state", "message"),
    [
        (", n => 0", "RS010", "n is 0"),
        (", n => 1001", "RS010", "n is 1001"),
        (", query_embedding => '[1,2,3]'", "RS011", "has 3 dimensions"),
        (", query_embedding => array_fill(0::real, array[384])::vector", "RS011", "no direction"),
    ],
)
def test_arguments_out_of_range_are_refused(shop, arguments, state, message):
    with pytest.raises(psycopg.Error, match=message) as raised:
        search(shop, "train", arguments)
    assert raised.value.sqlstate == state


def test_only_an_embedding_model_that_exists_can_be_remembered_for(shop):
    with pytest.raises(psycopg.Error, match="no embedding model has the id 999"):
        shop.execute(
            "select recsys_api.remember_query('a', array_fill(1::real, array[384])::vector, model_id => 999)"
        )


@pytest.mark.parametrize(
    "query",
    [
        *"&|!:*()<>\\'\"-+%_{}[]^~;,.?#$@/",
        "train & | ! : * <-> ( ) :A :*",
        "'train' \\ \"",
        "train'); drop table recsys.items; --",
        "{train}",
        "train:*B",
        "\\\\'\\:*|train",
        '"train',
        "💣 train 🦖",
        "a " * 500,
        "ab " * 333,
        "é" * 1000,
        "🦖" * 1000,
        "%s %(a)s :b $1",
    ],
)
def test_no_text_is_an_operator_or_an_error(shop, query):
    if query.strip() == "-":
        assert search(shop, query) == []
        return
    found = ids(shop, query)
    assert ("train" not in query) or 2 in found


@pytest.mark.parametrize(
    "query", ['🦖 Ωmega {braces} "quotes" back\\slash', "braces", "ΩMEGA", "quotes backsl"]
)
def test_titles_with_any_characters_are_found(shop, query):
    assert ids(shop, query)[0] == 11


def test_no_note_is_sent_to_the_client(shop):
    notes = []
    shop.add_notice_handler(lambda note: notes.append(note.message_primary))
    search(shop, "the of and")
    shop.execute("insert into recsys.items (title) values (%s)", ("x" * 3000,))
    assert notes == []


# rights and plans


def test_the_application_searches_and_keeps_texts(role_server, shop):
    embed(shop, 9, 7)
    shop.execute("set local role recsys_app")
    remember(shop, "loud people", 7)
    assert ids(shop, "loud people") == [9]
    assert ids(shop, "wooden train")[0] == 2
    assert shop.execute("select recsys_api._use_query('loud people')").fetchone() == (True,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shop.execute("update recsys.catalogue_language set language = 'german'")


@pytest.mark.parametrize("copy_is_secured", [False, True])
def test_row_level_security_holds_for_every_source(role_server, shop, copy_is_secured):
    for item_id in range(1, 11):
        embed(shop, item_id, 2)
    remember(shop, "train for sku-4712 or toy story")
    shop.execute("alter table recsys.items enable row level security")
    shop.execute("create policy no_toys on recsys.items for select using (category <> 'Toys')")
    if copy_is_secured:
        shop.execute("alter table recsys.item_texts enable row level security")
    shop.execute("set local role recsys_app")
    found = ids(shop, "train for sku-4712 or toy story")
    assert set(found) == {1, 5, 6, 7, 8, 9, 10}
    assert "Toys" not in {row.category for row in search(shop, "wooden train")}
    visible = shop.execute("select count(*) from recsys.item_texts where item_id in (2, 3, 4)").fetchone()
    assert visible == ((0,) if copy_is_secured else (3,))


def test_items_that_are_not_visible_do_not_crowd_out_those_that_are(role_server, shop):
    shop.execute(
        "insert into recsys.items (title, category) select 'Train', 'Toys' from generate_series(1, 3000)"
    )
    shop.execute("update recsys.items set description = 'Seen from the train.' where id in (1, 9)")
    shop.execute("alter table recsys.items enable row level security")
    shop.execute("create policy no_toys on recsys.items for select using (category <> 'Toys')")
    shop.execute("set local role recsys_app")
    assert set(ids(shop, "train", ", n => 2")) == {1, 9}


@pytest.mark.parametrize("query", ["item 4711", "471", "tag 3 4711", "nothing at all"])
def test_words_of_a_large_catalogue_are_found_by_the_indexes(large_catalogue, query):
    reads = (
        "select seq_scan, idx_scan from pg_stat_xact_user_tables where relid = 'recsys.item_texts'::regclass"
    )
    with psycopg.connect(large_catalogue.url) as connection:
        before = connection.execute(reads).fetchone()
        search(connection, query)
        after = connection.execute(reads).fetchone()
    assert after[0] == before[0]
    assert after[1] > before[1]


def test_the_same_statement_keeps_its_answer_when_it_is_prepared(shop):
    embed(shop, 9, 7)
    statement = "select item_id from recsys_api.search_text(%s, 3)"
    for _ in range(20):
        assert shop.execute(statement, ("wooden train",), prepare=True).fetchone() == (2,)


def test_a_table_of_texts_is_remembered_in_one_transaction_within_the_bound(catalogue):
    catalogue.execute("update recsys.settings set value = '100' where key = 'search.cached_queries'")
    catalogue.execute(
        "select recsys_api.remember_query('query ' || g, (select embedding from recsys.items where id = 1))"
        " from generate_series(1, 2000) g"
    )
    assert catalogue.execute("select count(*) from recsys.query_embeddings").fetchone() == (100,)
    locks = catalogue.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    ).fetchone()
    assert locks[0] <= 64
