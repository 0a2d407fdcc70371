"""Every error that recsys_pg raises on purpose: what was wrong, the value, and what to do about it."""


class RecsysError(Exception):
    """Base of all errors of recsys_pg.

    ``str(error)`` is one line for a person; ``message`` and ``hint`` are its two halves: what was wrong,
    and the remedy (empty when there is none).
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class UnknownUserError(RecsysError):
    """The user does not exist (SQLSTATE RS001)."""


class UnknownItemError(RecsysError):
    """The item does not exist (SQLSTATE RS002)."""


class UnknownInteractionKindError(RecsysError):
    """The kind of interaction is not listed in recsys.interaction_kinds (SQLSTATE RS003)."""


class InvalidArgumentError(RecsysError, ValueError):
    """An argument is out of its range or contradicts another (SQLSTATE RS010, or a named constraint)."""


class InvalidVectorError(InvalidArgumentError):
    """A vector is NULL, zero, not finite, or not of 384 dimensions (SQLSTATE RS011)."""


class EventConflictError(RecsysError):
    """An event_id was used before, for a different interaction (SQLSTATE RS012)."""


class RuleError(RecsysError):
    """A rule is unknown, or what it reads is gone (SQLSTATE RS013)."""


class UnknownScenarioError(RecsysError):
    """There is no scenario of the name (SQLSTATE RS014)."""


class InvalidRecordError(InvalidArgumentError):
    """A record of an imported file is malformed; ``line`` is its number, counted from 1."""

    def __init__(self, message: str, hint: str = "", *, line: int | None = None) -> None:
        super().__init__(message, hint)
        self.line = line


class DatabaseError(RecsysError):
    """The database refused, for a reason that the message names."""


class DatabaseUnavailableError(DatabaseError):
    """No connection: wrong address or password, server down, database missing."""


class ReadOnlyDatabaseError(DatabaseError):
    """A write was attempted on a read-only database or a replica."""


class PermissionDeniedError(DatabaseError):
    """The role lacks a privilege."""


class UnsupportedDatabaseError(DatabaseError):
    """PostgreSQL or pgvector is missing, too old, or otherwise unfit."""


class SchemaNotReadyError(DatabaseError):
    """The recsys_pg schema is missing, incomplete, or of another version than this package."""


class UpgradeBlockedError(DatabaseError):
    """An upgrade would have to drop something that a user built on; nothing was changed.

    ``dependents`` names the objects in the way.
    """

    def __init__(self, message: str, hint: str = "", *, dependents: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.dependents = dependents


class ModelError(RecsysError):
    """An embedding model is missing, corrupt, of other dimensions, or not the one the vectors belong to."""


class ModelUnavailableError(ModelError):
    """An embedding model fails on every text: it, or what provides it, is down."""


class MissingDependencyError(RecsysError, ImportError):
    """An optional part of recsys_pg is not installed; the hint names the extra."""
