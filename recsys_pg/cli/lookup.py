"""From what a person types to an item or a user."""

from contextlib import suppress

from recsys_pg.errors import InvalidArgumentError, UnknownItemError, UnknownUserError
from recsys_pg.models import Item
from recsys_pg.repositories import ItemRepository, UserRepository

_CANDIDATES = 8
_LARGEST_ID = 2**63 - 1


def find_item(items: ItemRepository, text: str, *, external: bool) -> Item:
    """The item with this id, external_id or title: a title in full, or else a part of it that only one has.

    Raises:
        UnknownItemError: there is none.
        InvalidArgumentError: several have the title; the message lists them.
    """
    if external:
        return items.by_external_id(text)
    item_id = _id(text)
    if item_id is not None:
        with suppress(UnknownItemError):
            return items.get(item_id)
    found = items.find_by_title(text, limit=_CANDIDATES + 1) if text else []
    same = [item for item in found if item.title == text] or [
        item for item in found if item.title.lower() == text.lower()
    ]
    # a number may be a title, such as 1984, but somebody who types one does not mean a part of a title
    candidates = same if item_id is not None else same or found
    if not candidates:
        raise UnknownItemError(
            f"No item has the {'title' if item_id is None else 'id or the title'} {_quoted(text)}.",
            "Pass an id, a title or a part of one; with --external the external_id.",
        )
    if len(candidates) > 1:
        listed = ", ".join(f"{item.id} {_quoted(item.title)}" for item in candidates[:_CANDIDATES])
        more = ", …" if len(candidates) > _CANDIDATES else ""
        raise InvalidArgumentError(
            f"Several items match {_quoted(text)}: {listed}{more}.", "Pass the id, or more of the title."
        )
    return candidates[0]


def find_user_id(users: UserRepository, text: str, *, external: bool) -> int:
    """The id that a text is, or that the user with this external_id has.

    Raises:
        UnknownUserError: no user has the external_id, or the text is no id.
    """
    if external:
        return users.by_external_id(text).id
    user_id = _id(text)
    if user_id is None:
        raise UnknownUserError(
            f"No user has the id {_quoted(text)}: an id is a number.",
            "Pass the id, or add --external to pass the external_id.",
        )
    return user_id


def _id(text: str) -> int | None:
    """The id that a text is; None when it is none."""
    is_number = text.isdecimal() and len(text) <= len(str(_LARGEST_ID))
    return int(text) if is_number and int(text) <= _LARGEST_ID else None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")
