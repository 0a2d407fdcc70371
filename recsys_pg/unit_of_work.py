"""One transaction over all repositories."""

from types import TracebackType
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors
from recsys_pg.recommender import Recommender
from recsys_pg.repositories import (
    InteractionRepository,
    ItemRepository,
    ScenarioRepository,
    UserRepository,
)


class UnitOfWork:
    """A transaction with the repositories and the recommender in it.

    Leaving the ``with`` block commits; an exception rolls everything back::

        with UnitOfWork(engine) as work:
            work.interactions.record(user_id=42, item_id=1, kind="purchase")
            rows = work.recommender.for_user(42)
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        self.session = Session(self._engine)
        self.items = ItemRepository(self.session)
        self.users = UserRepository(self.session)
        self.interactions = InteractionRepository(self.session)
        self.scenarios = ScenarioRepository(self.session)
        self.recommender = Recommender(self.session)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                with translated_errors():
                    self.session.commit()
            else:
                self.session.rollback()
        finally:
            self.session.close()

    def commit(self) -> None:
        """Commit what was done so far and go on in a new transaction."""
        with translated_errors():
            self.session.commit()

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        self.session.rollback()
