"""Scenarios: the controls of a list under a name."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors
from recsys_pg.errors import UnknownScenarioError
from recsys_pg.models import Scenario as StoredScenario
from recsys_pg.models import ScenarioBoost, ScenarioPin
from recsys_pg.repositories.filter_sql import filter_sql
from recsys_pg.types import Boost, ItemFilter, Pin, Scenario

_SQL_TYPES = {
    "method": "text",
    "exclude_seen": "boolean",
    "diversity": "double precision",
    "max_per_category": "integer",
    "popularity_damping": "double precision",
    "rotation": "double precision",
    "rotation_half_life": "interval",
    "new_item_share": "double precision",
}


class ScenarioRepository:
    """Scenarios by name; those who define them need the rights of the schema's owner, or a grant."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def define(self, name: str, scenario: Scenario) -> None:
        """Save a scenario; one of that name is replaced as a whole.

        Raises:
            InvalidArgumentError: the name or a control is out of range, or pins contradict each other.
            UnknownItemError: a pinned item does not exist.
            RuleError: a rule is unknown or broken.
        """
        arguments = ["name => cast(:name as text)"]
        parameters: dict[str, Any] = {"name": name}
        for control, sql_type in _SQL_TYPES.items():
            arguments.append(f"{control} => cast(:{control} as {sql_type})")
            parameters[control] = getattr(scenario, control)
        if scenario.filter is not None:
            sql, values = filter_sql(scenario.filter, "filter_")
            arguments.append(f"filter => {sql}")
            parameters |= values
        boosts = []
        for number, boost in enumerate(scenario.boosts):
            sql, values = filter_sql(boost.filter, f"boost_{number}_")
            boosts.append(f"recsys_api.item_boost({sql}, cast(:factor_{number} as double precision))")
            parameters |= values | {f"factor_{number}": boost.factor}
        pins = []
        for number, pin in enumerate(scenario.pins):
            pins.append(
                f"recsys_api.item_pin(cast(:item_{number} as bigint), cast(:place_{number} as integer))"
            )
            parameters |= {f"item_{number}": pin.item_id, f"place_{number}": pin.place}
        arguments.append(f"boosts => cast(array[{', '.join(boosts)}] as recsys_api.boost[])")
        arguments.append(f"pins => cast(array[{', '.join(pins)}] as recsys_api.pin[])")
        with translated_errors():
            self._session.execute(
                sa.text(f"select recsys_api.define_scenario({', '.join(arguments)})"), parameters
            )

    def get(self, name: str) -> Scenario:
        """The scenario.

        Raises:
            UnknownScenarioError: there is none of this name.
        """
        with translated_errors():
            stored = self._session.get(StoredScenario, name, populate_existing=True)
            boosts = self._session.scalars(
                sa.select(ScenarioBoost)
                .where(ScenarioBoost.scenario == name)
                .order_by(ScenarioBoost.position)
                .execution_options(populate_existing=True)
            ).all()
            pins = self._session.scalars(
                sa.select(ScenarioPin)
                .where(ScenarioPin.scenario == name)
                .order_by(ScenarioPin.place)
                .execution_options(populate_existing=True)
            ).all()
        if stored is None:
            known = ", ".join(self.names()[:5])
            raise UnknownScenarioError(
                f"There is no scenario {name!r}.", f"There are: {known}." if known else "None is defined."
            )
        return _scenario(stored, boosts, pins)

    def names(self) -> list[str]:
        """The names of all scenarios, in order."""
        with translated_errors():
            return list(self._session.scalars(sa.select(StoredScenario.name).order_by(StoredScenario.name)))

    def drop(self, name: str) -> None:
        """Remove a scenario; calls that name it fail from then on.

        Raises:
            UnknownScenarioError: there is none of this name.
        """
        with translated_errors():
            self._session.execute(
                sa.text("select recsys_api.drop_scenario(cast(:name as text))"), {"name": name}
            )


def _scenario(
    stored: StoredScenario, boosts: Sequence[ScenarioBoost], pins: Sequence[ScenarioPin]
) -> Scenario:
    controls = {name: getattr(stored, name) for name in _SQL_TYPES}
    return Scenario(
        **controls,
        filter=_filter(stored),
        boosts=tuple(Boost(_filter(boost) or ItemFilter(), boost.factor) for boost in boosts),
        pins=tuple(Pin(pin.item_id, pin.place) for pin in pins),
    )


def _filter(stored: StoredScenario | ScenarioBoost) -> ItemFilter | None:
    values = {field.name: getattr(stored, field.name) for field in fields(ItemFilter)}
    conditions: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    return ItemFilter(**conditions) if conditions else None
