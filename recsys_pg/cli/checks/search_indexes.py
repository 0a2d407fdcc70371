"""Check of the partial vector indexes that recsys-pg indexes built."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding

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
