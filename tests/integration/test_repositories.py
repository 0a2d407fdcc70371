"""ItemRepository, UserRepository, InteractionRepository and the bulk load."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import errors
from recsys_pg.db import driver_connection
from recsys_pg.models import EmbeddingJob, Interaction, Item, User
from recsys_pg.repositories import InteractionRepository, ItemRepository, UserRepository, copy_rows
from recsys_pg.types import ItemRecord

MATRIX = ItemRecord(
    external_id="matrix",
    title="The Matrix",
    description="A hacker learns the truth.",
    category="Science fiction",
    tags=("cyberpunk", "action"),
    price=Decimal("9.99"),
    in_stock=False,
    attributes={"year": 1999, "cast": ["Reeves", "Moss"]},
    created_at=dt.datetime(1999, 3, 31, tzinfo=dt.UTC),
)
ODD_TEXTS = ("'); drop table recsys.items; --", 'a "quoted" \\ title', "\U0001f600", "x" * 1_000_000)


@pytest.fixture
def session(shared_session: Session) -> Session:
    return shared_session


@pytest.fixture
def items(session: Session) -> ItemRepository:
    return ItemRepository(session)


@pytest.fixture
def users(session: Session) -> UserRepository:
    return UserRepository(session)


@pytest.fixture
def interactions(session: Session) -> InteractionRepository:
    return InteractionRepository(session)


# items


def test_an_item_is_written_and_read_back_whole(items):
    item = items.get(items.save(MATRIX))
    for name, value in vars(MATRIX).items():
        if name == "tags":
            assert item.tags == list(value)
        elif name != "id":
            assert getattr(item, name) == value
    assert items.by_external_id("matrix") is item


def test_saving_under_the_same_key_replaces_all_fields(items):
    first = items.save(MATRIX)
    assert items.save(ItemRecord(external_id="matrix", title="The Matrix Reloaded")) == first
    item = items.get(first)
    assert (item.title, item.description, item.category, item.tags) == ("The Matrix Reloaded", None, None, [])
    assert (item.price, item.in_stock, item.attributes) == (None, True, {})
    assert items.count() == 1


def test_saving_under_an_id_inserts_or_updates_that_item(items):
    assert items.save(ItemRecord(id=4711, title="a")) == 4711
    assert items.save(ItemRecord(id=4711, title="b", external_id="key")) == 4711
    assert items.get(4711).title == "b"
    assert items.count() == 1


def test_items_without_a_key_are_always_new(items):
    ids = items.save_all([ItemRecord(title="a"), ItemRecord(title="a")])
    assert len(set(ids)) == 2


def test_many_items_give_their_ids_in_order(items):
    records = [ItemRecord(title=str(i), external_id=f"key-{i % 3}") for i in range(6)]
    ids = items.save_all(records)
    assert ids[:3] == ids[3:]
    assert [items.get(item_id).title for item_id in ids[3:]] == ["3", "4", "5"]
    assert items.save_all([]) == []


def test_an_item_in_the_session_shows_what_was_saved_since(items):
    item = items.get(items.save(MATRIX))
    items.save(ItemRecord(external_id="matrix", title="Changed"))
    assert item.title == "Changed"


@pytest.mark.parametrize("text", ODD_TEXTS, ids=["injection", "quotes", "emoji", "1 MB"])
def test_any_text_is_kept_and_found(items, text):
    item_id = items.save(ItemRecord(title=text, description=text, attributes={text: text}))
    item = items.get(item_id)
    assert (item.title, item.description, item.attributes) == (text, text, {text: text})
    assert [found.id for found in items.find_by_title(text)] == [item_id]


def test_titles_are_found_whole_first_then_by_part_and_literally(items):
    items.save_all(
        ItemRecord(title=title) for title in ("Up close", "UP", "Group", "50% off", "500 off", "a_b", "axb")
    )
    assert [item.title for item in items.find_by_title("up")] == ["UP", "Group", "Up close"]
    assert [item.title for item in items.find_by_title("up", limit=1)] == ["UP"]
    assert [item.title for item in items.find_by_title("50%")] == ["50% off"]
    assert [item.title for item in items.find_by_title("a_b")] == ["a_b"]
    assert items.find_by_title("nothing") == []


def test_a_price_and_stock_change_touches_nothing_else(items, session):
    item_id = items.save(MATRIX)
    session.execute(sa.delete(EmbeddingJob))
    items.update_offer(item_id, price=Decimal("4.50"))
    items.update_offer(item_id, in_stock=True)
    session.expire_all()
    item = items.get(item_id)
    assert (item.price, item.in_stock, item.title) == (Decimal("4.50"), True, "The Matrix")
    assert session.scalar(sa.select(sa.func.count()).select_from(EmbeddingJob)) == 0


def test_an_embedding_of_the_applications_own_is_stored_at_unit_length(items, session):
    item_id = items.save(MATRIX)
    items.set_embedding(item_id, np.full(384, 3, dtype=np.float32))
    session.expire_all()
    item = items.get(item_id)
    assert isinstance(item.embedding, np.ndarray)
    assert item.embedding.shape == (384,)
    assert np.linalg.norm(item.embedding) == pytest.approx(1, abs=1e-5)
    assert item.embedding_content_hash == item.content_hash


def test_deleting_an_item_deletes_what_people_did_with_it(items, users, interactions):
    item_id, user_id = items.save(MATRIX), users.ensure("somebody")
    interactions.record(user_id, item_id, "view")
    items.delete(item_id)
    assert (items.count(), interactions.count()) == (0, 0)


# users


def test_a_user_is_registered_once(users):
    user_id = users.ensure("somebody")
    assert users.ensure("somebody") == user_id
    assert users.by_external_id("somebody").id == user_id
    assert users.ensure(user_id=4711) == 4711
    assert users.get(4711).external_id is None
    assert users.count() == 2


def test_attributes_of_a_user_are_replaced(users, session):
    user_id = users.ensure("somebody")
    users.set_attributes(user_id, {"plan": "free"})
    users.set_attributes(user_id, {"country": "NO"})
    session.expire_all()
    assert users.get(user_id).attributes == {"country": "NO"}


def test_a_user_is_exported_and_forgotten_with_all_they_did(items, users, interactions):
    user_id = users.ensure("somebody")
    interactions.record(user_id, items.save(MATRIX), "view")
    kept = users.export(user_id)
    assert (kept["external_id"], [each["kind"] for each in kept["interactions"]]) == ("somebody", ["view"])
    users.get(user_id)  # in the session, which must not remember it
    removed = users.forget(user_id)
    assert removed == {
        "recsys.impressions": 0,
        "recsys.taste_changes": 1,
        "recsys.interactions": 1,
        "recsys.users": 1,
    }
    assert (users.count(), interactions.count(), items.count()) == (0, 0, 1)
    with pytest.raises(errors.UnknownUserError):
        users.get(user_id)


# interactions


def test_interactions_are_recorded_as_given_and_listed_newest_first(items, users, interactions):
    item_id, user_id = items.save(MATRIX), users.ensure("somebody")
    early, late = (dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2))
    second = interactions.record(user_id, item_id, "rating", value=4.5, event_id="e-1", occurred_at=late)
    first = interactions.record(user_id, item_id, "view", occurred_at=early)
    third = interactions.record(user_id, item_id, "view")
    found = interactions.of_user(user_id)
    assert [interaction.id for interaction in found] == [third, second, first]
    assert (found[1].kind, found[1].value, found[1].event_id, found[1].occurred_at) == (
        "rating",
        4.5,
        "e-1",
        late,
    )
    assert [interaction.id for interaction in interactions.of_user(user_id, limit=1)] == [third]
    assert interactions.of_user(999) == []


def test_a_repeated_event_is_recorded_once(items, users, interactions):
    item_id, user_id = items.save(MATRIX), users.ensure("somebody")
    ids = {interactions.record(user_id, item_id, "purchase", event_id="order-1") for _ in range(3)}
    assert len(ids) == 1
    assert interactions.count() == 1


# refusals


@pytest.fixture
def repositories(items, users, interactions) -> SimpleNamespace:
    return SimpleNamespace(items=items, users=users, interactions=interactions)


@pytest.fixture
def known(items, users) -> tuple[int, int]:
    """A user and an item."""
    return users.ensure("somebody"), items.save(MATRIX)


REFUSED = {
    "unknown item": (lambda r, k: r.items.get(999), errors.UnknownItemError, "Item 999 does not exist"),
    "unknown key": (lambda r, k: r.items.by_external_id("no"), errors.UnknownItemError, "'no'"),
    "delete": (lambda r, k: r.items.delete(999), errors.UnknownItemError, "999"),
    "offer": (lambda r, k: r.items.update_offer(999, price=Decimal(1)), errors.UnknownItemError, "999"),
    "no offer": (lambda r, k: r.items.update_offer(k[1]), errors.InvalidArgumentError, "Neither price nor"),
    "negative price": (
        lambda r, k: r.items.update_offer(k[1], price=Decimal(-1)),
        errors.InvalidArgumentError,
        "items_price_check",
    ),
    "NaN price": (
        lambda r, k: r.items.save(ItemRecord(title="x", price=Decimal("NaN"))),
        errors.InvalidArgumentError,
        "items_price_check",
    ),
    "no title": (lambda r, k: r.items.save(ItemRecord(title=None)), errors.InvalidArgumentError, "title"),
    "NUL": (lambda r, k: r.items.save(ItemRecord(title="a\0b")), errors.InvalidArgumentError, "NUL"),
    "long key": (
        lambda r, k: r.items.save(ItemRecord(title="x", external_id="k" * 256)),
        errors.InvalidArgumentError,
        "items_external_id_check",
    ),
    "long tag": (
        lambda r, k: r.items.save(ItemRecord(title="x", tags=("".join(map(chr, range(0x4E00, 0x6000))),))),
        errors.InvalidArgumentError,
        "items_tags_check",
    ),
    "taken key": (
        lambda r, k: r.items.save(ItemRecord(id=4711, title="x", external_id="matrix")),
        errors.InvalidArgumentError,
        "items_external_id_key",
    ),
    "embedding of nothing": (
        lambda r, k: r.items.set_embedding(999, [1.0] * 384),
        errors.UnknownItemError,
        "999",
    ),
    "zero embedding": (
        lambda r, k: r.items.set_embedding(k[1], [0.0] * 384),
        errors.InvalidVectorError,
        "zero vector",
    ),
    "short embedding": (
        lambda r, k: r.items.set_embedding(k[1], [1.0] * 3),
        errors.InvalidVectorError,
        "3 dimensions",
    ),
    "NaN embedding": (
        lambda r, k: r.items.set_embedding(k[1], [float("nan")] * 384),
        errors.InvalidVectorError,
        "nan",
    ),
    "unknown user": (lambda r, k: r.users.get(999), errors.UnknownUserError, "User 999 does not exist"),
    "unknown user key": (lambda r, k: r.users.by_external_id("no"), errors.UnknownUserError, "'no'"),
    "attributes of nobody": (
        lambda r, k: r.users.set_attributes(999, {}),
        errors.UnknownUserError,
        "999",
    ),
    "forget nobody": (lambda r, k: r.users.forget(999), errors.UnknownUserError, "999"),
    "export nobody": (lambda r, k: r.users.export(999), errors.UnknownUserError, "999"),
    "two keys": (lambda r, k: r.users.ensure("a", user_id=1), errors.InvalidArgumentError, "either"),
    "no key": (lambda r, k: r.users.ensure(), errors.InvalidArgumentError, "either"),
    "empty key": (lambda r, k: r.users.ensure(""), errors.InvalidArgumentError, "0 characters"),
    "user past a bigint": (
        lambda r, k: r.users.ensure(user_id=2**70),
        errors.InvalidArgumentError,
        "out of range",
    ),
    "record for nobody": (
        lambda r, k: r.interactions.record(999, k[1], "view"),
        errors.UnknownUserError,
        "999",
    ),
    "record nothing": (lambda r, k: r.interactions.record(k[0], 999, "view"), errors.UnknownItemError, "999"),
    "record past a bigint": (
        lambda r, k: r.interactions.record(2**70, k[1], "view"),
        errors.InvalidArgumentError,
        "out of range",
    ),
    "unknown kind": (
        lambda r, k: r.interactions.record(*k, "glance"),
        errors.UnknownInteractionKindError,
        "'glance'",
    ),
    "rating without value": (
        lambda r, k: r.interactions.record(*k, "rating"),
        errors.InvalidArgumentError,
        "value",
    ),
    "NaN value": (
        lambda r, k: r.interactions.record(*k, "rating", value=float("nan")),
        errors.InvalidArgumentError,
        "NaN",
    ),
    "future": (
        lambda r, k: r.interactions.record(
            *k, "view", occurred_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        ),
        errors.InvalidArgumentError,
        "in the future",
    ),
    "used event": (
        lambda r, k: [r.interactions.record(*k, kind, event_id="order-1") for kind in ("view", "click")],
        errors.EventConflictError,
        "'order-1'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_the_value_and_a_remedy(repositories, known, session, name):
    call, error, message = REFUSED[name]
    savepoint = session.begin_nested()
    with pytest.raises(errors.RecsysError, match=message) as raised:
        call(repositories, known)
    assert type(raised.value) is error
    assert raised.value.message[-1] in ".!?"
    assert len(str(raised.value)) < 1500
    savepoint.rollback()
    counts = (repositories.items.count(), repositories.users.count(), repositories.interactions.count())
    assert counts == (1, 1, 0)


# bulk


def test_rows_are_copied_with_all_their_types(session):
    connection = driver_connection(session.connection())
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    rows = [
        (1, "One", ["a", "b"], Decimal("1.50"), {"k": 1}, now, np.full(384, 2, dtype=np.float32)),
        (2, "\U0001f600 '; --", [], None, {}, now, None),
    ]
    columns = ("id", "title", "tags", "price", "attributes", "created_at", "embedding")
    types = ("int8", "text", "text[]", "numeric", "jsonb", "timestamptz", "vector")
    from psycopg.types.json import Jsonb

    encoded = [(*row[:4], Jsonb(row[4]), *row[5:]) for row in rows]
    assert copy_rows(connection, "recsys.items", columns, types, iter(encoded)) == 2
    found = session.scalars(sa.select(Item).order_by(Item.id)).all()
    assert [(i.title, i.tags, i.price, i.attributes, i.created_at) for i in found] == [
        row[1:6] for row in rows
    ]
    assert found[1].embedding is None
    assert np.linalg.norm(found[0].embedding) == pytest.approx(1, abs=1e-5)
    jobs = session.scalars(sa.select(EmbeddingJob.item_id)).all()
    assert jobs == [2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1,), (2, 3)], "Row 2"),
        ([("one",)], "Row 1"),
        ([(2**70,)], "Row 1"),
        ([(1,), (1,)], "users_pkey"),
        ([(None,)], "id"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_none_are_loaded(session, rows, message):
    savepoint = session.begin_nested()
    with pytest.raises(errors.InvalidArgumentError, match=message):
        copy_rows(driver_connection(session.connection()), "recsys.users", ["id"], ["int8"], rows)
    savepoint.rollback()
    assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 0


def test_no_rows_are_copied_from_nothing(session):
    assert copy_rows(driver_connection(session.connection()), "recsys.users", ["id"], ["int8"], []) == 0
    assert session.scalar(sa.select(sa.func.count()).select_from(Interaction)) == 0
