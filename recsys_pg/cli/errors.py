"""From exceptions to one line on stderr and an exit code."""

import re

from recsys_pg.errors import DatabaseError, InvalidArgumentError, InvalidRecordError, RecsysError

FAILURE = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def one_line(text: str) -> str:
    """The text on one line, without control characters that a terminal would obey."""
    return _CONTROL.sub(" ", text)


def signal_behind(error: BaseException) -> int | None:
    """The exit code of the signal during whose clean-up an error came up; None when there was no signal."""
    context: BaseException | None = error
    while context is not None:
        if isinstance(context, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(context, SystemExit) and isinstance(context.code, int):
            return context.code
        context = context.__context__
    return None


def explained(error: Exception) -> RecsysError:
    """The error of recsys_pg that an exception is, or that says to a person what it means."""
    if isinstance(error, RecsysError):
        return error
    import psycopg
    import pydantic
    from sqlalchemy.exc import DBAPIError

    from recsys_pg.db import translate

    translated = translate(error)
    if translated is not None:
        return translated
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, psycopg.Error):
        return DatabaseError(
            f"The database refused: {original.diag.message_primary or original}.",
            f"Its log says more (SQLSTATE {original.sqlstate}).",
        )
    if isinstance(error, pydantic.ValidationError):
        wrong = error.errors()[0]
        variable = "_".join(["RECSYS_PG", *map(str, wrong["loc"])]).upper()
        return InvalidArgumentError(
            f"{variable} is {wrong['input']!r}: {wrong['msg']}.", "Set it anew, or unset it."
        )
    if isinstance(error, OSError) and error.strerror:
        return RecsysError(
            f"{error.strerror}: {error.filename or 'the output'}.",
            "Free it, or name another place with RECSYS_PG_EMBEDDED_DIR or XDG_CACHE_HOME.",
        )
    return RecsysError(
        f"{type(error).__name__}: {str(error)[:300]}.",
        "recsys-pg does not know this error: run it again with --verbose for the traceback.",
    )


def exit_code(error: RecsysError) -> int:
    """2 when an argument was wrong, 1 when the work failed."""
    wrong_argument = isinstance(error, InvalidArgumentError) and not isinstance(error, InvalidRecordError)
    return USAGE if wrong_argument else FAILURE
