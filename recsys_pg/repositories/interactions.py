"""What people did."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors
from recsys_pg.models import Interaction


class InteractionRepository:
    """The append-only log of interactions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(
        self,
        user_id: int,
        item_id: int,
        kind: str,
        *,
        value: float | None = None,
        event_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> int:
        """Record an interaction and return its id; the next recommendation in this session counts it.

        With an event_id it is recorded once, however often it is sent. occurred_at is now if left out.

        Raises:
            UnknownUserError, UnknownItemError, UnknownInteractionKindError: as their names say.
            InvalidArgumentError: a rating without a value, a value that is not finite, a time in the future.
            EventConflictError: the event_id was used for something else.
        """
        with translated_errors():
            return int(
                self._session.execute(
                    sa.text(
                        "select recsys_api.record_interaction(cast(:user_id as bigint),"
                        " cast(:item_id as bigint), :kind, value => cast(:value as double precision),"
                        " event_id => :event_id,"
                        " occurred_at => coalesce(cast(:occurred_at as timestamptz), now()))"
                    ),
                    {
                        "user_id": user_id,
                        "item_id": item_id,
                        "kind": kind,
                        "value": value,
                        "event_id": event_id,
                        "occurred_at": occurred_at,
                    },
                ).scalar_one()
            )

    def record_impressions(
        self, user_id: int, item_ids: Sequence[int], *, shown_at: datetime | None = None
    ) -> int:
        """Note what was shown to a user, so that rotation lets it sink; returns how many items were noted.

        shown_at is now if left out.

        Raises:
            UnknownUserError, UnknownItemError: as their names say.
            InvalidArgumentError: more than 1,000 items, or a time in the future.
        """
        with translated_errors():
            return int(
                self._session.execute(
                    sa.text(
                        "select recsys_api.record_impressions(cast(:user_id as bigint),"
                        " cast(:item_ids as bigint[]),"
                        " shown_at => coalesce(cast(:shown_at as timestamptz), now()))"
                    ),
                    {"user_id": user_id, "item_ids": list(item_ids), "shown_at": shown_at},
                ).scalar_one()
            )

    def of_user(self, user_id: int, *, limit: int = 100) -> list[Interaction]:
        """The user's latest interactions, newest first; empty for an unknown user."""
        statement = (
            sa.select(Interaction)
            .where(Interaction.user_id == user_id)
            .order_by(Interaction.occurred_at.desc(), Interaction.id.desc())
            .limit(limit)
        )
        with translated_errors():
            return list(self._session.scalars(statement))

    def count(self) -> int:
        """How many interactions there are."""
        with translated_errors():
            return self._session.scalar(sa.select(sa.func.count()).select_from(Interaction)) or 0
