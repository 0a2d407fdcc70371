"""The language that the catalogue is written in, by which text search compares words."""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import Progress, unheard

_BATCH = 1_000

_KNOWN = sa.text(
    "select case when n.nspname = 'pg_catalog' then c.cfgname::text"
    " else format('%I.%I', n.nspname, c.cfgname) end"
    " from pg_ts_config c join pg_namespace n on n.oid = c.cfgnamespace order by n.nspname <> 'pg_catalog', 1"
)
_SWITCH = sa.text(
    "update recsys.catalogue_language"
    " set previous_language = case when language = :language then previous_language else language end,"
    " language = :language"
)
# what a writer of the catalogue holds is written in the new language by its trigger
_REWRITE = sa.text(
    """
    with batch as (
        select t.item_id from recsys.item_texts t
        where t.item_id > :after and t.language <> :language
        order by t.item_id limit :batch
        for update skip locked
    ), rewritten as (
        update recsys.item_texts t
        set language = :language, title = recsys.title_words(c.config, i.title),
            document = recsys.item_document(c.config, i.title, i.description, i.category, i.tags)
        from batch b join recsys.items i on i.id = b.item_id, recsys.text_search_config(:language) c (config)
        where t.item_id = b.item_id
        returning t.item_id
    )
    select count(*), max(item_id) from rewritten
    """
)
_LEFT = sa.text("select count(*) from recsys.item_texts where language <> :language")


@dataclass(frozen=True)
class CatalogueLanguage:
    """The language now, the one before while a change is not finished, and all that the database knows."""

    language: str
    previous_language: str | None
    known: tuple[str, ...]


def read_language(engine: sa.Engine) -> CatalogueLanguage:
    """The language of the catalogue."""
    with translated_errors(), engine.connect() as connection:
        language, previous = connection.execute(
            sa.text("select language, previous_language from recsys.catalogue_language")
        ).one()
        return CatalogueLanguage(language, previous, tuple(connection.scalars(_KNOWN)))


def set_language(engine: sa.Engine, language: str, progress: Progress = unheard) -> int:
    """List all items by their words in another language; returns how many were listed anew.

    Searches and writes go on meanwhile: until all items are done, the words of a search are compared in both
    languages. What was done is kept when it is interrupted; the next call goes on from there. At its start it
    waits for transactions that write items, 10 seconds at most. It takes about 0.1 ms an item.

    Raises:
        InvalidArgumentError: the database knows no such language; or another change was interrupted.
        DatabaseError: somebody has been writing items for longer.
        PermissionDeniedError: the role does not own the tables.
    """
    now = read_language(engine)
    if language not in now.known:
        raise InvalidArgumentError(
            f"The database knows no language {language[:100]!r}.",
            f"Choose one of {', '.join(now.known)}; simple compares words as they stand.",
        )
    if now.previous_language is not None and language not in (now.language, now.previous_language):
        raise InvalidArgumentError(
            f"The change from {now.previous_language} to {now.language} was interrupted.",
            f"Finish it first: recsys-pg language {now.language}.",
        )
    if now.previous_language is None and language == now.language:
        return 0
    with translated_errors():
        with engine.begin() as connection:
            connection.execute(sa.text("set local lock_timeout = '10s'"))
            # who began to write an item before this sees the language before; nobody is left who does
            connection.execute(sa.text("lock table recsys.items in share mode"))
            connection.execute(_SWITCH, {"language": language})
        done = _rewrite_all(engine, language, progress)
        with engine.begin() as connection:
            connection.execute(sa.text("update recsys.catalogue_language set previous_language = null"))
            connection.execute(sa.text("analyze recsys.item_texts"))
    return done


def _rewrite_all(engine: sa.Engine, language: str, progress: Progress) -> int:
    done = 0
    while left := _count(engine, language):
        before, total = done, done + left
        after: int | None = -(2**63)
        while after is not None:
            with engine.begin() as connection:
                parameters = {"language": language, "after": after, "batch": _BATCH}
                count, after = connection.execute(_REWRITE, parameters).one()
            done += count
            progress("items", done, max(done, total))
        if done == before:
            time.sleep(0.5)  # the rest is held by who writes it, in the new language
    return done


def _count(engine: sa.Engine, language: str) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(_LEFT, {"language": language}) or 0)
