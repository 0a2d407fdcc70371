"""The command doctor."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from recsys_pg.cli.database import connected
from recsys_pg.cli.errors import FAILURE, one_line
from recsys_pg.cli.output import AsJson, console, print_json

if TYPE_CHECKING:
    from recsys_pg.cli.checks import Finding

_STYLES = {"ok": "green", "info": "cyan", "warn": "yellow", "fail": "bold red"}


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check the server, the schema, the data and the embedding model; say what to do about what is wrong.

    Changes nothing. Exits with 1 if a check fails: something does not work.

    \b
    Examples:
      recsys-pg doctor
      recsys-pg doctor --json | jq '.[] | select(.level == "fail")'
    """
    from recsys_pg.cli.checks import run_checks

    with connected(context) as engine:
        findings = list(run_checks(engine))
    if as_json:
        print_json([{"check": name} | asdict(finding) for name, finding in findings])
    else:
        _print(findings)
    if any(finding.level == "fail" for _, finding in findings):
        raise typer.Exit(FAILURE)


def _print(findings: "Sequence[tuple[str, Finding]]") -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, finding in findings:
        said = [finding.message, f"→ {finding.remedy}"] if finding.remedy else [finding.message]
        table.add_row(
            Text(finding.level, style=_STYLES[finding.level]),
            Text(name),
            Text("\n".join(map(one_line, said))),
        )
    console().print(table)
