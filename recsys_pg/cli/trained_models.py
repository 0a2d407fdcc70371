"""The trained models of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.errors import InvalidArgumentError

_MODELS = (
    "select id, name, is_active, created_at, activated_at, coalesce(parameters -> 'terms', '[]') as terms,"
    " nullif(parameters -> 'trend', 'null') as trend, nullif(parameters -> 'prior', 'null') as prior, metrics"
    " from recsys.models"
    " where purpose = 'collaborative' and coalesce(id = :id, true) order by id desc"
)


@dataclass(frozen=True)
class TrainedModel:
    """A row of recsys.models; name is the item graph's algorithm.

    terms are those of the hybrid's sum; trend is how much more counts what is liked lately, and prior what it
    begins with (see `recsys_pg.collaborative.trend` and `prior`).
    """

    id: int
    name: str
    is_active: bool
    created_at: datetime
    activated_at: datetime | None
    terms: Sequence[Mapping[str, Any]]
    trend: Mapping[str, Any] | None
    prior: Mapping[str, Any] | None
    metrics: Mapping[str, Any]


def read_models(connection: sa.Connection, model_id: int | None = None) -> list[TrainedModel]:
    """All trained models, or the one with this id, the latest first."""
    statement = sa.text(_MODELS).bindparams(sa.bindparam("id", model_id, sa.BigInteger))
    with translated_errors():
        return [TrainedModel(**row) for row in connection.execute(statement).mappings()]


def read_model(connection: sa.Connection, model_id: int | None = None) -> TrainedModel:
    """The model with this id, or the active one.

    Raises:
        InvalidArgumentError: there is none.
    """
    for found in read_models(connection, model_id):
        if found.is_active or model_id is not None:
            return found
    if model_id is None:
        raise InvalidArgumentError("No trained model is active.", "Train one: recsys-pg train.")
    raise InvalidArgumentError(
        f"{model_id} is no trained model.", "recsys-pg model list shows those that there are."
    )


def activate_model(connection: sa.Connection, model_id: int | None) -> int:
    """Switch to a model, or back to the one that was active before; the id of the one that is active now."""
    statement = sa.text("select recsys_api.activate_model(:id)")
    with translated_errors():
        active = connection.scalar(statement.bindparams(sa.bindparam("id", model_id, sa.BigInteger)))
    return int(active)
