"""ScenarioRepository keeps what it is given, refuses what SQL refuses, and impressions are recorded."""

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import errors
from recsys_pg.models import Impression
from recsys_pg.repositories import InteractionRepository, ItemRepository, ScenarioRepository, UserRepository
from recsys_pg.types import Boost, ItemFilter, ItemRecord, Pin, Scenario

EVERYTHING = ItemFilter(
    categories=("Drama", "it's {quoted}"),
    in_stock=True,
    min_price=Decimal("0.5"),
    max_price=Decimal("12.25"),
    tags=("even",),
    attributes={"languages": ["en"]},
    item_ids=(2, 3),
    exclude_item_ids=(9,),
)


@pytest.fixture
def session(shared_session: Session) -> Session:
    return shared_session


@pytest.fixture
def scenarios(session: Session) -> ScenarioRepository:
    return ScenarioRepository(session)


def test_a_scenario_comes_back_as_it_was_defined_and_can_be_replaced_and_dropped(session, scenarios):
    items = [ItemRepository(session).save(ItemRecord(title=title)) for title in ("One", "Two")]
    full = Scenario(
        filter=EVERYTHING,
        method="content",
        exclude_seen=False,
        diversity=0.25,
        max_per_category=3,
        popularity_damping=0.5,
        rotation=0.75,
        rotation_half_life=dt.timedelta(days=1, hours=3),
        new_item_share=0.1,
        boosts=(Boost(EVERYTHING, 2.5), Boost(ItemFilter(in_stock=False), 0.5)),
        pins=(Pin(items[1], 1), Pin(items[0], 7)),
    )
    scenarios.define("home", full)
    scenarios.define("empty", Scenario())
    assert scenarios.get("home") == full
    assert scenarios.get("empty") == Scenario()
    assert scenarios.names() == ["empty", "home"]
    scenarios.define("home", Scenario(diversity=0.5))
    assert scenarios.get("home") == Scenario(diversity=0.5)
    scenarios.drop("home")
    assert scenarios.names() == ["empty"]


@pytest.mark.parametrize(
    ("scenario", "error", "message"),
    [
        (Scenario(diversity=2), errors.InvalidArgumentError, "diversity is 2"),
        (Scenario(boosts=[Boost(ItemFilter(), 2)]), errors.InvalidArgumentError, "has no condition"),
        (Scenario(boosts=[Boost(ItemFilter(rule="none"), 2)]), errors.RuleError, "no rule 'none'"),
        (Scenario(pins=[Pin(999, 1)]), errors.UnknownItemError, "item 999 does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused(scenarios, scenario, error, message):
    with pytest.raises(error, match=message):
        scenarios.define("home", scenario)


@pytest.mark.parametrize("call", ["get", "drop"])
def test_an_unknown_scenario_is_an_error(scenarios, call):
    with pytest.raises(errors.UnknownScenarioError, match="no scenario 'nothing'"):
        getattr(scenarios, call)("nothing")


def test_impressions_are_recorded(session):
    interactions = InteractionRepository(session)
    item = ItemRepository(session).save(ItemRecord(title="One"))
    user = UserRepository(session).ensure("somebody")
    assert interactions.record_impressions(user, [item]) == 1
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert interactions.record_impressions(user, [item], shown_at=at) == 1
    (kept,) = session.scalars(sa.select(Impression).where(Impression.user_id == user))
    assert kept.times == 2
    assert kept.shown_at > at
    with pytest.raises(errors.UnknownItemError):
        interactions.record_impressions(user, [item + 1])
