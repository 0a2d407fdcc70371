"""Which advised index a filter implies, and that the planner agrees."""

import json

import psycopg
import pytest

NAMES = {
    "drama": {"category": "Drama"},
    "classic": {"tags": ["classic"]},
    "old classic": {"tags": ["classic", "old"]},
    "english": {"attributes": {"languages": ["en"]}},
    "classic drama": {"category": "Drama", "tags": ["classic"]},
    "vegan": {"rule": "vegan"},
}


def advised(connection, name, *, rows=100, is_ready=True, index=True, **condition):
    """Record an index as `recsys-pg indexes build` does, and create it; returns its predicate."""
    category, tags, rule = (condition.get(part) for part in ("category", "tags", "rule"))
    attributes = json.dumps(condition["attributes"]) if "attributes" in condition else None
    (predicate,) = connection.execute(
        "select recsys_api._index_predicate(%s, %s, %s, %s)", (category, tags, attributes, rule)
    ).fetchone()
    connection.execute(
        "insert into recsys.search_indexes (index_name, category, tags, attributes, rule, rule_canonical,"
        " predicate, is_ready, built_at, built_rows) values (%s, %s, %s, %s, %s,"
        " (select canonical from recsys.filter_rules where name = %s), %s, %s, now(), %s)",
        (name, category, tags, attributes, rule, rule, predicate, is_ready, rows),
    )
    if index:
        connection.execute(
            f"create index {name} on recsys.items using hnsw (embedding vector_cosine_ops)"
            f" where {predicate.replace('item.', '')}".encode()
        )
    return predicate


def chosen(connection, filter):
    return connection.execute(
        f"select recsys_api._search_index(recsys_api.item_filter({filter}))"
    ).fetchone()[0]


def name_of(number):
    return f"items_embedding_{number:08x}_idx"


@pytest.fixture
def indexed(catalogue):
    """The catalogue with an index of each kind, the later the smaller, and their names by predicate."""
    catalogue.execute(
        "insert into recsys.filter_rules (name, predicate, canonical, relation) values"
        " ('vegan', 'item.id > 3', '(item.id > 3)', 'searchable_items')"
    )
    predicates = {
        advised(catalogue, name_of(number), rows=1000 - number, **condition): name
        for number, (name, condition) in enumerate(NAMES.items())
    }
    return catalogue, predicates


@pytest.mark.parametrize(
    ("filter", "name"),
    [
        ("categories => '{Drama}'", "drama"),
        ("categories => '{Drama}', in_stock => true, max_price => 10", "drama"),
        ("categories => '{Drama,Comedy}'", None),
        ("categories => '{Comedy}'", None),
        ("categories => '{}'", None),
        ("tags => '{classic}'", "classic"),
        ("tags => '{even,classic}'", "classic"),
        ("tags => '{old,even,classic}'", "old classic"),
        ("tags => '{old}'", None),
        ("tags => '{}'", None),
        ("""attributes => '{"languages": ["en"]}'""", "english"),
        ("""attributes => '{"languages": ["fr", "en"], "year": 1999}'""", "english"),
        ("""attributes => '{"languages": ["fr"]}'""", None),
        ("attributes => '{}'", None),
        ("rule => 'vegan'", "vegan"),
        ("rule => 'other'", None),
        ("categories => '{Drama}', tags => '{classic}'", "classic drama"),
        ("categories => '{Comedy}', tags => '{classic}'", "classic"),
        ("in_stock => true", None),
        ("item_ids => '{1,2}'", None),
    ],
)
def test_a_search_gets_the_smallest_index_that_its_filter_implies(indexed, filter, name):
    catalogue, predicates = indexed
    assert predicates.get(chosen(catalogue, filter)) == name


def test_without_a_filter_there_is_no_index(indexed):
    catalogue, _ = indexed
    assert catalogue.execute("select recsys_api._search_index(null)").fetchone() == (None,)


def test_every_item_that_passes_the_filter_is_in_the_index(indexed):
    catalogue, _ = indexed
    for filter in (
        "categories => '{Drama}', tags => '{classic}'",
        """attributes => '{"languages": ["fr", "en"]}'""",
    ):
        predicate = chosen(catalogue, filter)
        (conditions,) = catalogue.execute(
            f"select recsys_api._filter_conditions(recsys_api.item_filter({filter}))"
        ).fetchone()
        passing, outside = catalogue.execute(
            f"select count(*), count(*) filter (where not ({predicate})) from recsys.items item"
            f" where true {conditions.replace('$1', f'recsys_api.item_filter({filter})')}".encode()
        ).fetchone()
        assert passing > 0
        assert outside == 0


@pytest.mark.parametrize(
    "spoil",
    [
        "update recsys.search_indexes set is_ready = false",
        "update pg_index set indisvalid = false"
        " where indexrelid = 'recsys.items_embedding_00000001_idx'::regclass",
        "drop index recsys.items_embedding_00000001_idx",
    ],
    ids=["unfinished", "invalid", "gone"],
)
def test_an_index_that_is_not_there_or_not_whole_is_not_used(server, catalogue, spoil):
    advised(catalogue, name_of(1), category="Drama")
    assert chosen(catalogue, "categories => '{Drama}'") == "item.category = 'Drama'"
    catalogue.execute(spoil)
    assert chosen(catalogue, "categories => '{Drama}'") is None


@pytest.mark.parametrize(
    "change",
    ["update recsys.filter_rules set canonical = '(item.id > 4)'", "delete from recsys.filter_rules"],
    ids=["changed", "dropped"],
)
def test_an_index_for_a_rule_as_it_was_is_not_used_for_the_rule_as_it_is(indexed, change):
    catalogue, _ = indexed
    assert chosen(catalogue, "rule => 'vegan'") == "((item.id > 3))"
    catalogue.execute(change)
    assert chosen(catalogue, "rule => 'vegan'") is None


AWKWARD = ("O'Neill", 'say "hi"', "back\\slash", "{brace,d}", "50%", "item.price", "$1", "null", "日本 🎬")


@pytest.mark.parametrize("text", AWKWARD)
def test_values_with_quotes_braces_and_backslashes_are_values(catalogue, text):
    array = catalogue.execute("select array[%s]::text[]", (text,)).fetchone()[0]
    (predicate,) = catalogue.execute(
        "select recsys_api._index_predicate(%s, %s, jsonb_build_object(%s::text, %s::text), null)",
        (text, array, text, text),
    ).fetchone()
    escaped = predicate.replace("%", "%%")  # or psycopg takes it for a placeholder
    passes = (
        f"select {escaped} from (values (%s::text, %s::text[], %s::jsonb)) item (category, tags, attributes)"
    )
    same = (text, [*array, "more"], json.dumps({text: text, "more": 1}))
    assert catalogue.execute(passes, same).fetchone() == (True,)
    other = (text + "x", [text + "x"], json.dumps({text: text + "x"}))
    assert catalogue.execute(passes, other).fetchone() == (False,)


def test_the_predicate_of_an_unknown_rule_is_null(catalogue):
    assert catalogue.execute(
        "select recsys_api._index_predicate('Drama', null, null, 'unknown')"
    ).fetchone() == (None,)


@pytest.mark.parametrize(
    ("condition", "filter"),
    [
        ({"category": "Category 7"}, "categories => '{Category 7}'"),
        ({"tags": ["tag 3"]}, "tags => '{tag 3}', in_stock => true"),
        ({"attributes": {"size": "L"}}, """attributes => '{"size": "L", "color": "red"}'"""),
        ({"rule": "few"}, "rule => 'few'"),
        ({"category": "Category 7", "tags": ["tag 3"]}, "categories => '{Category 7}', tags => '{tag 3}'"),
    ],
    ids=["category", "tags", "attributes", "rule", "category and tags"],
)
def test_the_planner_walks_the_index_for_the_predicate(large_catalogue, condition, filter):
    with psycopg.connect(large_catalogue.url) as connection:
        connection.execute(
            "insert into recsys.filter_rules (name, predicate, canonical, relation) values"
            " ('few', 'x', '((item.id % 10) = 3 and item.category <> ''x''::text)', 'searchable_items')"
        )
        advised(connection, name_of(1), **condition)
        predicate = chosen(connection, filter)
        assert predicate is not None
        connection.execute("set local enable_sort = off")  # few rows are sorted as fast
        plan = "\n".join(
            row[0]
            for row in connection.execute(
                "explain select item.id from recsys.items item where item.embedding is not null"
                f" and ({predicate}) order by item.embedding <=> (select embedding from recsys.items"
                " where id = 1) limit 40".encode()
            )
        )
        connection.rollback()
    assert f"using {name_of(1)}" in plan


def test_the_lookup_does_not_read_the_catalogue_of_tables_from_end_to_end(indexed):
    catalogue, _ = indexed
    scans = "select pg_stat_get_xact_numscans('pg_class'::regclass)"
    chosen(catalogue, "categories => '{Drama}'")
    before = catalogue.execute(scans).fetchone()
    assert chosen(catalogue, "categories => '{Drama}'") is not None
    assert catalogue.execute(scans).fetchone() == before
