"""Recommender gives what the SQL functions give, and refuses what they refuse."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import errors
from recsys_pg.recommender import Recommender
from recsys_pg.types import Contribution, FoundItem, ItemFilter, Recommendation, SimilarItem, SimilarUser

CATALOGUE = Path(__file__).resolve().parents[1] / "sql" / "catalogue.sql"
FILTERED = ItemFilter(
    categories=("Drama", "Comedy"),
    in_stock=True,
    min_price=Decimal("0.5"),
    max_price=12.25,
    tags=("even",),
    attributes={"languages": ["en"]},
    item_ids=tuple(range(2, 40)),
    exclude_item_ids=(2,),
)
FILTERED_SQL = (
    "recsys_api.item_filter(categories => '{Drama,Comedy}', in_stock => true,"
    " min_price => 0.5, max_price => 12.25, tags => '{even}', attributes => '{\"languages\": [\"en\"]}',"
    " item_ids => array(select generate_series(2, 39)), exclude_item_ids => '{2}')"
)


@pytest.fixture(scope="module")
def catalogue(shared_engine: sa.Engine) -> sa.Engine:
    """The small catalogue of tests/sql, for the whole file."""
    with shared_engine.begin() as connection:
        connection.exec_driver_sql(CATALOGUE.read_text().replace("%", "%%"))
        connection.exec_driver_sql(
            "select recsys_api.define_scenario('home', boosts => array[recsys_api.item_boost("
            "recsys_api.item_filter(tags => '{even}'), 2)], pins => array[recsys_api.item_pin(33, 1)])"
        )
    return shared_engine


@pytest.fixture
def session(catalogue: sa.Engine, shared_session: Session) -> Session:
    return shared_session


@pytest.fixture
def recommender(session: Session) -> Recommender:
    return Recommender(session)


@pytest.fixture
def vector(session: Session, recommender: Recommender) -> list[float]:
    text = session.scalar(sa.text("select embedding::text from recsys.items where id = 1"))
    return [float(number) for number in text.strip("[]").split(",")]


def sql_rows(session: Session, call: str) -> list[tuple]:
    return [comparable(row) for row in session.execute(sa.text(f"select * from recsys_api.{call}"))]


def as_tuples(rows: list) -> list[tuple]:
    return [comparable(vars(row).values()) for row in rows]


def comparable(values: Iterable) -> tuple:
    """The values, but for what the order of a sum of floats changes."""
    return tuple(round(value, 9) if isinstance(value, float) else value for value in values)


CALLS = {
    "for_user": (lambda r: r.for_user(1), "recommend_for_user(1)", Recommendation),
    "for_user with everything": (
        lambda r: r.for_user(1, 5, filter=FILTERED, exclude_seen=False, diversity=0.3, method="item_based"),
        f"recommend_for_user(1, 5, {FILTERED_SQL}, false, 0.3, 'item_based')",
        Recommendation,
    ),
    "for_items": (
        lambda r: r.for_items([1, 50], 5, filter=FILTERED),
        f"recommend_for_items('{{1,50}}', 5, {FILTERED_SQL})",
        Recommendation,
    ),
    "for_items with weights": (
        lambda r: r.for_items([1, 50], 5, weights=[0.3, 1]),
        "recommend_for_items('{1,50}', 5, weights => '{0.3,1}')",
        Recommendation,
    ),
    "for_items of nothing": (lambda r: r.for_items([]), "recommend_for_items('{}')", Recommendation),
    "similar_items": (
        lambda r: r.similar_items(8, 7, filter=FILTERED),
        f"similar_items(8, 7, {FILTERED_SQL})",
        SimilarItem,
    ),
    "popular": (lambda r: r.popular(3), "popular_items(3)", FoundItem),
    "popular with everything": (
        lambda r: r.popular(3, filter=FILTERED, since=dt.datetime(2025, 6, 10, tzinfo=dt.UTC)),
        f"popular_items(3, {FILTERED_SQL}, '2025-06-10 00:00+00')",
        FoundItem,
    ),
    "similar_users": (lambda r: r.similar_users(1, 4), "similar_users(1, 4)", SimilarUser),
    "explain": (lambda r: r.explain(1, 8), "explain_recommendation(1, 8)", Contribution),
    "for_user with controls": (
        lambda r: r.for_user(
            1,
            5,
            scenario="home",
            max_per_category=2,
            popularity_damping=0.3,
            rotation=0.5,
            rotation_half_life=dt.timedelta(hours=3),
            new_item_share=0.2,
            shown_item_ids=(1, 2),
        ),
        "recommend_for_user(1, 5, scenario => 'home', max_per_category => 2, popularity_damping => 0.3,"
        " rotation => 0.5, rotation_half_life => '3 hours', new_item_share => 0.2,"
        " shown_item_ids => '{1,2}')",
        Recommendation,
    ),
    "for_items with controls": (
        lambda r: r.for_items(
            [1, 50],
            5,
            scenario="home",
            diversity=0.3,
            max_per_category=2,
            popularity_damping=0.3,
            new_item_share=0.2,
            shown_item_ids=[3],
        ),
        "recommend_for_items('{1,50}', 5, scenario => 'home', diversity => 0.3, max_per_category => 2,"
        " popularity_damping => 0.3, new_item_share => 0.2, shown_item_ids => '{3}')",
        Recommendation,
    ),
    "similar_items in a scenario": (
        lambda r: r.similar_items(8, 7, scenario="home"),
        "similar_items(8, 7, scenario => 'home')",
        SimilarItem,
    ),
    "explain with controls": (
        lambda r: r.explain(1, 8, scenario="home", popularity_damping=0.3),
        "explain_recommendation(1, 8, 'home', 0.3)",
        Contribution,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_python_gives_what_sql_gives(recommender, session, name):
    call, sql, row_type = CALLS[name]
    rows = call(recommender)
    assert rows
    assert all(type(row) is row_type for row in rows)
    assert as_tuples(rows) == sql_rows(session, sql)


def test_search_gives_what_sql_gives(recommender, session, vector):
    rows = recommender.search(vector, 5, filter=FILTERED)
    expected = f"search_items((select embedding from recsys.items where id = 1), 5, {FILTERED_SQL})"
    assert as_tuples(rows) == sql_rows(session, expected)
    assert all(type(row) is FoundItem for row in rows)


def test_search_takes_any_sequence_of_numbers(recommender, vector):
    numpy = pytest.importorskip("numpy")
    expected = recommender.search(vector, 5)
    assert recommender.search(tuple(vector), 5) == expected
    assert recommender.search(numpy.array(vector, dtype=numpy.float32), 5) == expected
    assert recommender.search(numpy.array(vector), 5) == expected


@pytest.mark.parametrize(
    ("conditions", "items"),
    [
        ({}, 60),
        ({"categories": ()}, 0),
        ({"item_ids": ()}, 0),
        ({"exclude_item_ids": ()}, 60),
        ({"tags": ()}, 60),
        ({"attributes": {}}, 60),
        ({"attributes": {"year": 1970}}, 1),
        ({"attributes": {"title": "\U0001f600 '; drop table x --"}}, 0),
        ({"categories": ("';--", "\U0001f600", "Drama")}, 15),
        ({"in_stock": False}, 20),
        ({"min_price": 30}, 0),
        ({"min_price": 29.5}, 1),
        ({"max_price": Decimal("0.5")}, 1),
    ],
)
def test_each_condition_of_a_filter_reaches_sql(recommender, conditions, items):
    assert len(recommender.popular(1000, filter=ItemFilter(**conditions))) == items


def test_recommendations_see_the_sessions_own_uncommitted_interactions(recommender, session):
    first = recommender.for_user(1, 1)[0].item_id
    session.execute(sa.text("select recsys_api.record_interaction(1, :item, 'purchase')"), {"item": first})
    assert first not in {row.item_id for row in recommender.for_user(1, 60)}


ZERO, ONE = [0.0] * 384, [1.0] * 384
REFUSED = {
    "unknown user": (lambda r: r.for_user(999), errors.UnknownUserError, "User 999|user 999"),
    "unknown user, similar": (lambda r: r.similar_users(999), errors.UnknownUserError, "999"),
    "unknown user, explain": (lambda r: r.explain(999, 1), errors.UnknownUserError, "999"),
    "no user": (lambda r: r.for_user(None), errors.InvalidArgumentError, "NULL"),
    "unknown item": (lambda r: r.similar_items(999), errors.UnknownItemError, "999"),
    "unknown item, explain": (lambda r: r.explain(1, 999), errors.UnknownItemError, "999"),
    "unknown item in a basket": (lambda r: r.for_items([1, 999]), errors.UnknownItemError, "999"),
    "no item in a basket": (lambda r: r.for_items([1, None]), errors.InvalidArgumentError, "NULL"),
    "n of 0": (lambda r: r.for_user(1, 0), errors.InvalidArgumentError, "n is 0"),
    "negative n": (lambda r: r.popular(-1), errors.InvalidArgumentError, "n is -1"),
    "no n": (lambda r: r.popular(None), errors.InvalidArgumentError, "n is NULL"),
    "n of 10,000,000": (
        lambda r: r.similar_items(1, 10_000_000),
        errors.InvalidArgumentError,
        "n is 10000000",
    ),
    "n past an integer": (lambda r: r.popular(2**40), errors.InvalidArgumentError, "out of range"),
    "id past a bigint": (lambda r: r.for_user(2**70), errors.InvalidArgumentError, "out of range"),
    "zero vector": (lambda r: r.search(ZERO), errors.InvalidVectorError, "no direction"),
    "short vector": (lambda r: r.search([1.0, 2.0]), errors.InvalidVectorError, "2 dimensions"),
    "empty vector": (lambda r: r.search([]), errors.InvalidVectorError, "0 dimensions"),
    "NaN vector": (lambda r: r.search([float("nan"), *ONE[1:]]), errors.InvalidVectorError, "NaN|nan"),
    "infinite vector": (lambda r: r.search([float("inf"), *ONE[1:]]), errors.InvalidVectorError, "inf"),
    "past a float": (lambda r: r.search([1e300, *ONE[1:]]), errors.InvalidVectorError, r"1e\+?300"),
    "nested vector": (lambda r: r.search([ONE]), errors.InvalidVectorError, "flat sequence"),
    "no vector": (lambda r: r.search(None), errors.InvalidVectorError, "NoneType"),
    "text as vector": (lambda r: r.search("1,2,3"), errors.InvalidVectorError, "str"),
    "prices the wrong way round": (
        lambda r: r.popular(filter=ItemFilter(min_price=2, max_price=1)),
        errors.InvalidArgumentError,
        "min_price 2 is above max_price 1",
    ),
    "NaN price": (
        lambda r: r.popular(filter=ItemFilter(max_price=float("nan"))),
        errors.InvalidArgumentError,
        "a price bound is NaN",
    ),
    "attributes without an order": (
        lambda r: r.popular(filter=ItemFilter(attributes={"tags": {1, 2}})),
        errors.InvalidArgumentError,
        "attributes",
    ),
    "unknown method": (
        lambda r: r.for_user(1, method="best"),
        errors.InvalidArgumentError,
        "method is 'best'",
    ),
    "1 MB method": (
        lambda r: r.for_user(1, method="'" * 1_000_000),
        errors.InvalidArgumentError,
        "method is",
    ),
    "diversity of 2": (lambda r: r.for_user(1, diversity=2), errors.InvalidArgumentError, "diversity is 2"),
    "since tomorrow": (
        lambda r: r.popular(since=dt.datetime.now(dt.UTC) + dt.timedelta(days=1)),
        errors.InvalidArgumentError,
        "in the future",
    ),
    "NUL in a category": (
        lambda r: r.popular(filter=ItemFilter(categories=("a\0b",))),
        errors.InvalidArgumentError,
        "NUL",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_the_value_and_a_remedy(recommender, name):
    call, error, message = REFUSED[name]
    with pytest.raises(errors.RecsysError, match=message) as raised:
        call(recommender)
    assert type(raised.value) is error
    assert raised.value.message[-1] in ".!?"
    assert str(raised.value) == f"{raised.value.message} {raised.value.hint}".strip()
    assert len(str(raised.value)) < 1000


def test_a_database_that_was_not_migrated_is_named(create_database):
    from recsys_pg import db

    engine = db.create_engine(create_database(), poolclass=sa.NullPool)
    with (
        Session(engine) as session,
        pytest.raises(errors.SchemaNotReadyError, match="Run: recsys-pg migrate"),
    ):
        Recommender(session).popular()
