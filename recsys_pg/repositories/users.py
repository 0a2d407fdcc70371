"""People."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors
from recsys_pg.errors import UnknownUserError
from recsys_pg.models import User

_REGISTER = "Register users with ensure(), in SQL recsys_api.ensure_user."


class UserRepository:
    """Users by id or by the application's own key."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, user_id: int) -> User:
        """The user.

        Raises:
            UnknownUserError: there is none.
        """
        with translated_errors():
            user = self._session.get(User, user_id)
        if user is None:
            raise UnknownUserError(f"User {user_id} does not exist.", _REGISTER)
        return user

    def by_external_id(self, external_id: str) -> User:
        """The user with the application's own key.

        Raises:
            UnknownUserError: there is none.
        """
        with translated_errors():
            user = self._session.scalar(sa.select(User).where(User.external_id == external_id))
        if user is None:
            raise UnknownUserError(f"No user has the external_id {external_id!r}.", _REGISTER)
        return user

    def ensure(self, external_id: str | None = None, *, user_id: int | None = None) -> int:
        """The id of the user with this key, who is registered if new.

        Raises:
            InvalidArgumentError: not exactly one of the two keys is given.
        """
        with translated_errors():
            return int(
                self._session.execute(
                    sa.text(
                        "select recsys_api.ensure_user(cast(:external_id as text), cast(:user_id as bigint))"
                    ),
                    {"external_id": external_id, "user_id": user_id},
                ).scalar_one()
            )

    def set_attributes(self, user_id: int, attributes: Mapping[str, Any]) -> None:
        """Replace the user's attributes.

        Raises:
            UnknownUserError: there is no such user.
        """
        with translated_errors():
            found = self._session.execute(
                sa.update(User)
                .where(User.id == user_id)
                .values(attributes=dict(attributes))
                .returning(User.id)
            ).scalar_one_or_none()
        if found is None:
            raise UnknownUserError(f"User {user_id} does not exist.", _REGISTER)

    def forget(self, user_id: int) -> dict[str, int]:
        """Erase the user and all that is kept about the person; the rows removed, by table.

        Raises:
            UnknownUserError: there is no such user.
        """
        statement = sa.text("select table_name, rows_removed from recsys_api.forget_user(:user_id)")
        with translated_errors():
            rows = self._session.execute(statement, {"user_id": user_id}).all()
        self._session.expire_all()
        return {row.table_name: row.rows_removed for row in rows}

    def export(self, user_id: int) -> dict[str, Any]:
        """All that is kept about the user, as ``recsys_api.export_user`` lists it.

        Raises:
            UnknownUserError: there is no such user.
        """
        statement = sa.text("select recsys_api.export_user(:user_id)")
        with translated_errors():
            return dict(self._session.execute(statement, {"user_id": user_id}).scalar_one())

    def count(self) -> int:
        """How many users there are."""
        with translated_errors():
            return self._session.scalar(sa.select(sa.func.count()).select_from(User)) or 0
