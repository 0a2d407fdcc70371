"""Checks of what decides who finds what: the application's rules, and row-level security."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding
from recsys_pg.cli.known_rules import read_rules


def rules(connection: sa.Connection) -> Iterator[Finding]:
    """Every rule can be applied."""
    count = broken = 0
    for rule in read_rules(connection):
        count += 1
        if rule.problem is not None:
            broken += 1
            yield Finding("fail", rule.problem, rule.remedy or "")
    if not broken:
        yield Finding("ok", f"{count:,} can be applied." if count else "None is defined.")


def row_security(connection: sa.Connection) -> Iterator[Finding]:
    """The copies of the items that searches scan show no more than the items do."""
    rows = connection.execute(
        sa.text("select relname, relrowsecurity from pg_class where oid = any (cast(:tables as regclass[]))"),
        {"tables": ["recsys.items", "recsys.searchable_items", "recsys.item_texts"]},
    )
    secured: dict[str, bool] = {row.relname: row.relrowsecurity for row in rows}
    items = secured.pop("items")
    for copy, is_secured in sorted(secured.items()):
        if items and not is_secured:
            yield Finding(
                "fail",
                f"recsys.items has row-level security, but recsys.{copy} shows something of all items.",
                "Run: recsys-pg migrate.",
            )
        elif is_secured and not items:
            yield Finding(
                "warn",
                f"recsys.items has no row-level security any more, but recsys.{copy} has:"
                " searches use no index.",
                "Run: recsys-pg migrate.",
            )
    if set(secured.values()) == {items}:
        yield Finding("ok", "On, for the items and their copies." if items else "Off.")
