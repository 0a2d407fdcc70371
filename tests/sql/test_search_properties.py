"""Twenty thousand random filters: as many rows as there should be, all of them right, by every strategy."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import numpy.typing as npt
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pgvector import Vector
from pgvector.psycopg import register_vector

ITEMS = 3_000
QUERIES = 60
BATCH = 100
FILTERS = {18: 20_000, 16: 2_000}
STRATEGIES = {"partial_index", "exact", "index_walk", "code_scan", "full_scan"}

CATEGORIES = (
    None,
    "Drama",
    "it's",
    '"quoted"',
    "{a,b}",
    "a,b",
    "\\",
    "NULL",
    "null",
    "$1",
    "'); drop table recsys.items; --",
    "é 日本 🎬",
)
TAGS = ("classic", "cold'war", '"', "{}", "\\x41", "NULL", "50%")
SIZES = ("L", "XL", "it's", "{", '"', "\\", "", None, 1, 1.5, True, [], {}, ["L", ["XL"]], {"eu": 44})

# so low that 3,000 items are a large catalogue
SETTINGS = """
update recsys.settings s set value = n.value
from (values ('search.ef_search', '100'::jsonb), ('search.exact_limit', '60'), ('search.scan_limit', '100'),
    ('search.rerank', '100')) n (key, value)
where s.key = n.key;
select recsys_api.define_rule('cheap_or_odd', 'price < 20 or id % 2 = 1');
select recsys_api.define_rule('titled', 'title like ''%7%''');
"""
ADVISED = """
insert into recsys.search_indexes (index_name, category, tags, attributes, predicate, is_ready, built_at)
select format('items_embedding_0000000%s_idx', n), category, tags, attributes,
    recsys_api._index_predicate(category, tags, attributes, null), true, now()
from (values (1, 'Drama', null::text[], null::jsonb), (2, null, '{classic}', null),
    (3, null, null, '{"size": "L"}')) v (n, category, tags, attributes)
returning format('create index %I on recsys.items using hnsw (embedding vector_cosine_ops) where %s',
    index_name, replace(predicate, 'item.', ''))
"""

COLUMNS = """
    position integer, query integer, n integer, categories text[], in_stock boolean, min_price numeric,
    max_price numeric, tags text[], attributes jsonb, item_ids bigint[], exclude_item_ids bigint[], rule text
"""
ARGUMENTS = """
    (select q.embedding from queries q where q.id = f.query), f.n, recsys_api.item_filter(f.categories,
        f.in_stock, f.min_price, f.max_price, f.tags, f.attributes, f.item_ids, f.exclude_item_ids, f.rule)
"""
SEARCH = f"""
select f.position, coalesce(array_agg(s.item_id order by s.rank) filter (where s.rank is not null), '{{}}'),
    coalesce(array_agg(s.score order by s.rank) filter (where s.rank is not null), '{{}}')
from jsonb_to_recordset(%s::jsonb) f ({COLUMNS})
left join lateral recsys_api.search_items({ARGUMENTS}) s on true
group by f.position order by f.position
"""
EXPLAIN = f"""
select distinct on (f.position) f.position, s.strategy, s.rows_passing
from jsonb_to_recordset(%s::jsonb) f ({COLUMNS}), recsys_api.explain_search({ARGUMENTS}) s
order by f.position, s.step desc
"""


@dataclass(frozen=True, eq=False)
class Shop:
    """What is in the database, as Python and numpy see it; position i of a list or array is item i + 1."""

    connection: psycopg.Connection
    filters: int
    categories: list[str | None]
    tags: list[frozenset[str]]
    attributes: list[dict[str, object]]
    cents: npt.NDArray[np.int64]  # -1 stands for NULL
    in_stock: npt.NDArray[np.bool_]
    is_embedded: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]  # (QUERIES, ITEMS) cosines
    nearest: npt.NDArray[np.int64]  # (QUERIES, 400) ids

    @staticmethod
    def _mask(ids: Iterable[int | None]) -> npt.NDArray[np.bool_]:
        mask = np.zeros(ITEMS, dtype=bool)
        mask[[i - 1 for i in ids if i is not None and 1 <= i <= ITEMS]] = True
        return mask

    @cache  # noqa: B019
    def has(self, column: str, value: object) -> npt.NDArray[np.bool_]:
        if column == "categories":
            return np.array([category == value for category in self.categories])
        if column == "tags":
            return np.array([value in tags for tags in self.tags])
        if column == "rule" and value == "titled":
            return np.array(["7" in str(i + 1) for i in range(ITEMS)])
        if column == "rule":
            return ((self.cents >= 0) & (self.cents < 2_000)) | (np.arange(ITEMS) % 2 == 0)
        wanted = json.loads(str(value))
        return np.array([contains(attributes, wanted) for attributes in self.attributes])

    def passing(self, filter: dict[str, object]) -> npt.NDArray[np.bool_]:
        """Which items pass the filter and can be found."""
        passes = self.is_embedded.copy()
        for name, value in filter.items():
            match name:
                case "categories":
                    masks = [self.has(name, category) for category in value if category is not None]
                    passes &= np.any(masks, axis=0) if masks else False
                case "tags":
                    for tag in value:
                        passes &= self.has(name, tag) if tag is not None else True
                case "attributes":
                    passes &= self.has(name, json.dumps(value))
                case "in_stock":
                    passes &= self.in_stock == value
                case "min_price":
                    passes &= (self.cents >= 0) & (self.cents * 10 >= mills(value))
                case "max_price":
                    passes &= (self.cents >= 0) & (self.cents * 10 <= mills(value))
                case "item_ids":
                    passes &= self._mask(value)
                case "exclude_item_ids":
                    passes &= ~self._mask(value)
                case "rule":
                    passes &= self.has(name, value)
        return passes


def contains(value: object, part: object) -> bool:
    """What jsonb's @> says below the top: types are told apart, arrays are sets."""
    if isinstance(value, dict) and isinstance(part, dict):
        return all(key in value and contains(value[key], part[key]) for key in part)
    if isinstance(value, list) and isinstance(part, list):
        return all(any(contains(element, wanted) for element in value) for wanted in part)
    return isinstance(value, bool) == isinstance(part, bool) and value == part


def unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rows at length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mills(price: str) -> int:
    """Thousandths of a price that is written with three digits."""
    return int(price.replace(".", ""))


@pytest.fixture(scope="module")
def shop(server):
    """3,000 items of odd categories, tags and attributes, a few without a vector, and an index for some."""
    random = np.random.default_rng(3)
    dice = Random(3)
    topics = random.standard_normal((40, 384))
    topic = random.integers(40, size=ITEMS)
    embeddings = topics[topic] + 1.2 * random.standard_normal((ITEMS, 384))
    queries = topics[np.arange(QUERIES) % 40] + 1.2 * random.standard_normal((QUERIES, 384))
    queries[40:50] = random.standard_normal((10, 384))  # near to nothing
    queries[50:] = embeddings[:: ITEMS // 10][:10]
    # half of the items have the category of their topic
    categories = [
        CATEGORIES[topic[i] % len(CATEGORIES)] if i % 2 else dice.choice(CATEGORIES) for i in range(ITEMS)
    ]
    tags = [frozenset(dice.sample(TAGS, dice.choice((0, 1, 1, 2, 4)))) for _ in range(ITEMS)]
    attributes = [
        {key: dice.choice(SIZES) for key in dice.sample(("size", "it's", '"{\\'), dice.randint(0, 2))}
        for _ in range(ITEMS)
    ]
    cents = np.where(random.random(ITEMS) < 0.05, -1, random.integers(0, 10_000, size=ITEMS))
    cents[::100] = 0
    in_stock = random.random(ITEMS) < 0.8
    is_embedded = np.arange(ITEMS) % 15 != 7

    url = server.create_database()
    with psycopg.connect(url) as connection:
        register_vector(connection)
        (index,) = connection.execute(
            "select pg_get_indexdef('recsys.items_embedding_idx'::regclass)"
        ).fetchone()
        connection.execute("drop index recsys.items_embedding_idx")
        with connection.cursor().copy(
            "copy recsys.items (id, title, category, tags, price, in_stock, attributes, embedding) from stdin"
        ) as copy:
            for i in range(ITEMS):
                price = None if cents[i] < 0 else f"{cents[i] / 100:.2f}"
                vector = Vector(embeddings[i]) if is_embedded[i] else None
                copy.write_row(
                    (i + 1, f"Item {i + 1}", categories[i], sorted(tags[i]), price, bool(in_stock[i]),
                     json.dumps(attributes[i]), vector)
                )  # fmt: skip
        connection.execute(index)
        connection.execute(SETTINGS)
        for (index,) in connection.execute(ADVISED).fetchall():
            connection.execute(index)
    connection = psycopg.connect(url, autocommit=True)
    register_vector(connection)
    connection.execute("vacuum analyze")
    connection.execute("create temporary table queries (id integer primary key, embedding vector(384))")
    connection.cursor().executemany(
        "insert into queries values (%s, %s)", [(i, Vector(query)) for i, query in enumerate(queries)]
    )
    scores = unit(queries) @ unit(embeddings).T
    yield Shop(
        connection, FILTERS[connection.info.server_version // 10_000], categories, tags, attributes, cents,
        in_stock, is_embedded, scores, np.argsort(-scores)[:, :400] + 1,
    )  # fmt: skip
    connection.close()
    server.drop_database(url)


def random_filter(dice: Random, shop: Shop, text: str, json_value: object) -> dict[str, object]:
    """A search: a query, a length, and conditions of which few or many are set."""
    query = dice.randrange(QUERIES)

    def labels(known: Iterable[str | None]) -> list[str | None]:
        return dice.choices([*known, text, None], k=dice.choice((0, 1, 1, 1, 2, 3)))

    def price() -> str:
        known = int(dice.choice(shop.cents)) * 10
        thousandths = dice.choice((-1_000, 0, 50_000, 10**15, dice.randrange(100_000), known))
        return f"{thousandths / 1000:.3f}"

    def ids() -> list[int | None]:
        start = dice.randrange(-10, ITEMS)
        match dice.randrange(4):
            case 0:
                return dice.choice(([], [None], [start, start, None, 10**15]))
            case 1:
                return shop.nearest[query, : dice.choice((10, 60, 400))].tolist()
            case 2:
                return list(range(start, start + dice.choice((3, 50, 1500))))
            case _:
                return (np.flatnonzero(shop.has("categories", dice.choice(CATEGORIES))) + 1).tolist()

    attributes = dict(dice.choice(shop.attributes))
    if attributes and dice.random() < 0.3:
        attributes.popitem()
    if dice.random() < 0.2:
        attributes[dice.choice(("size", text))] = json_value
    prices = sorted((price(), price()), key=mills)
    conditions = {
        "categories": labels(CATEGORIES),
        "in_stock": dice.random() < 0.7,
        "min_price": prices[0],
        "max_price": prices[1],
        "tags": labels(TAGS)[:2],
        "attributes": attributes,
        "item_ids": ids(),
        "exclude_item_ids": ids(),
        "rule": dice.choice(("cheap_or_odd", "titled")),
    }
    share = dice.choice((0.1, 0.25, 0.5, 1))
    kept = {name: value for name, value in conditions.items() if dice.random() < share}
    return {"query": query, "n": dice.randint(1, 60), **kept}


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def test_a_search_returns_n_rows_that_pass_if_n_pass_and_they_are_the_nearest(shop):
    recalls = defaultdict(list)
    seen = set()

    @settings(
        max_examples=11 * shop.filters // BATCH // 10,  # some repeat each other
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(seed=st.integers(0, 2**64), text=TEXT, json_value=JSON)
    def run(seed: int, text: str, json_value: object) -> None:
        dice = Random(repr((seed, text, json_value)))
        filters = [random_filter(dice, shop, text, json_value) for _ in range(BATCH)]
        sent = json.dumps([{**filter, "position": i} for i, filter in enumerate(filters)])
        found = shop.connection.execute(SEARCH, (sent,)).fetchall()
        taken = dict.fromkeys(range(BATCH), (None, None))
        explained = json.dumps([{**filters[i], "position": i} for i in range(0, BATCH, 10)])
        for position, strategy, rows_passing in shop.connection.execute(EXPLAIN, (explained,)):
            taken[position] = (strategy, rows_passing)
        for position, ids, scores in found:
            filter = filters[position]
            passing = shop.passing(filter)
            nearness = shop.scores[filter["query"]]
            rows = np.array(ids, dtype=int) - 1
            assert len(ids) == min(filter["n"], np.count_nonzero(passing)), filter
            assert len(set(ids)) == len(ids), filter
            assert passing[rows].all(), filter
            assert np.allclose(scores, nearness[rows], atol=1e-5), filter
            assert scores == sorted(scores, reverse=True), filter
            strategy, rows_passing = taken[position]
            if strategy in ("exact", "code_scan", "full_scan"):
                assert rows_passing == np.count_nonzero(passing), filter
            if ids:
                last = -np.partition(-nearness[passing], len(ids) - 1)[len(ids) - 1]
                recalls[strategy].append(np.mean(nearness[rows] >= last - 1e-6))
            seen.add(json.dumps(filter))

    run()
    assert len(seen) >= shop.filters
    assert recalls.keys() == {*STRATEGIES, None}
    assert {strategy: np.mean(values) for strategy, values in recalls.items() if np.mean(values) < 0.99} == {}


QUERY = "(select embedding from queries where id = 0)"


@pytest.mark.parametrize("filter", ["null", "recsys_api.item_filter('{Drama}')"])
@pytest.mark.parametrize("call", ["search_items", "explain_search"])
@pytest.mark.parametrize(
    ("query", "sqlstate", "message"),
    [
        ("null", "RS011", "the query embedding is NULL"),
        ("(select embedding from recsys.items where id = -1)", "RS011", "the query embedding is NULL"),
        ("array_fill(0::real, array[384])::vector", "RS011", "has length 0, so it has no direction"),
        (f"({QUERY} * array_fill(0::real, array[384])::vector)", "RS011", "has length 0"),
        ("array_fill('NaN'::real, array[384])::vector", "22000", "NaN not allowed in vector"),
        ("array_fill('Infinity'::real, array[384])::vector", "22000", "infinite value not allowed in vector"),
        ("array_fill('-Infinity'::real, array[384])::vector", "22000", "infinite value not allowed"),
        ("array_fill(1::real, array[383])::vector", "RS011", "has 383 dimensions, not 384"),
        ("array_fill(1::real, array[385])::vector", "RS011", "has 385 dimensions, not 384"),
        ("'[1]'", "RS011", "has 1 dimensions, not 384"),
    ],
)
def test_a_query_vector_without_a_direction_is_refused(  # noqa: PLR0917
    shop, call, filter, query, sqlstate, message
):
    with pytest.raises(psycopg.DatabaseError) as raised:
        shop.connection.execute(f"select * from recsys_api.{call}({query}, 10, {filter})")
    assert raised.value.sqlstate == sqlstate
    assert message in raised.value.diag.message_primary
    if sqlstate == "RS011":
        assert raised.value.diag.message_hint


@pytest.mark.parametrize(
    "conditions",
    [
        "item_ids => array(select id from recsys.items where category = 'NULL'), categories => '{Drama}'",
        "min_price => 10.001, max_price => 10.001",
        "categories => '{}'",
        "item_ids => '{}'",
        "item_ids => '{NULL}'",
        "exclude_item_ids => array(select id from recsys.items)",
        "categories => '{Drama}', exclude_item_ids => array(select id from recsys.items)",
        "item_ids => '{1,2,3}', exclude_item_ids => '{3,2,1}'",
        "tags => '{classic}', attributes => '{\"tags\": \"classic\"}'",
        "min_price => 1000000",
        "max_price => -1",
    ],
)
@pytest.mark.parametrize("n", [1, 10, 1000])
def test_a_filter_that_contradicts_itself_finds_nothing_and_says_so(shop, conditions, n):
    arguments = f"{QUERY}, {n}, recsys_api.item_filter({conditions})"
    assert shop.connection.execute(f"select * from recsys_api.search_items({arguments})").fetchall() == []
    last = shop.connection.execute(
        f"select rows_passing, rows_compared from recsys_api.explain_search({arguments})"
        " order by step desc limit 1"
    ).fetchone()
    assert last == (0, 0)
