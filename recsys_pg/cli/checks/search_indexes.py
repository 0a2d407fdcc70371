"""Checks of the vector index of the items, and of the partial ones that recsys-pg indexes built."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding

_MANY = 10_000
"""Items with a vector from which on a search without the index takes noticeably longer."""

_WRONG = {
    "unfinished": "The build of {} was interrupted: searches do not use it, yet writes may keep it up.",
    "gone": "The index {} is recorded, but somebody dropped it.",
    "outdated": "The rule of the index {} has changed or is gone: no search uses it.",
}
_REMEDY = {
    "unfinished": "Run: recsys-pg indexes build {0}; or: recsys-pg indexes drop {0}.",
    "gone": "Run: recsys-pg indexes build {0}; or: recsys-pg indexes drop {0}.",
    "outdated": "Run: recsys-pg indexes drop {0}; then see recsys-pg indexes for a new one.",
}


def search_indexes(connection: sa.Connection) -> Iterator[Finding]:
    """Every search index that was asked for is there and used."""
    rows = connection.execute(
        sa.text("select index_name, state from recsys_report.search_indexes order by index_name")
    ).all()
    for name, state in rows:
        if state == "building":
            yield Finding("info", f"The index {name} is being built.")
        elif state != "ready":
            yield Finding("warn", _WRONG[state].format(name), _REMEDY[state].format(name))
    if all(state == "ready" for _, state in rows):
        yield Finding("ok", f"{len(rows)}, all ready." if rows else "None was built.")


def vector_index(connection: sa.Connection) -> Iterator[Finding]:
    """The index that searches walk is there, or waits to be built after a load."""
    is_there, is_deferred, embedded = connection.execute(
        sa.text(
            "select to_regclass('recsys.items_embedding_idx') is not null,"
            " exists (select from recsys.deferred_indexes where index_name = 'items_embedding_idx'),"
            " (select count(*) from (select from recsys.searchable_items limit :many) s)"
        ),
        {"many": _MANY},
    ).one()
    if is_deferred:
        yield Finding(
            "info",
            "The vector index waits to be built: a load has dropped it, or still runs.",
            "Run: recsys-pg worker, which builds it as soon as no load runs.",
        )
    elif not is_there:
        yield Finding(
            "warn" if embedded >= _MANY else "info",
            "The vector index recsys.items_embedding_idx is missing: searches compare many vectors.",
            "Run: create index concurrently items_embedding_idx on recsys.items"
            " using hnsw (embedding vector_cosine_ops) with (ef_construction = 200);",
        )
    else:
        yield Finding("ok", "It is there.")
