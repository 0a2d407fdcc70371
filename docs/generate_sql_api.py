"""Writes docs/sql-api.md from the files of sql/; with --check it only says whether the page is current."""

import re
import sys
from pathlib import Path

from recsys_pg.schema import SqlFile, sql_files

PAGE = Path(__file__).with_name("sql-api.md")
INTRODUCTION = """\
# SQL interface

<!-- Written by docs/generate_sql_api.py from the comments in sql/; run `make docs` after changing them. -->

Everything that applications call is in schema `recsys_api`, everything that BI tools read in `recsys_report`.
All arguments can be given by name, `recommend_for_user(42, n => 5)`; what is left out has the default shown.
Functions whose names begin with an underscore are private and may change at any time.

Errors have an SQLSTATE of their own, the offending value in the message, and a remedy in the hint:

| SQLSTATE | meaning |
| --- | --- |
| RS001 | unknown user |
| RS002 | unknown item |
| RS003 | unknown kind of interaction |
| RS010 | an argument is out of range or contradicts another |
| RS011 | a vector is NULL, zero, or not of 384 dimensions |
| RS012 | an event_id was used before for something else |
| RS013 | a rule is unknown, or what it reads is gone |
| RS014 | a scenario is unknown |
"""


def signature(file: SqlFile) -> str:
    """The declaration of a function up to its result type, as written."""
    match = re.search(r"create or replace function (.*?)\nlanguage (\w+) (\w+)", file.text, re.S)
    if match is None:
        raise ValueError(f"no function declaration in {file.path.name}")
    return f"{match[1]}  -- {match[3]}"


def split_example(header: str) -> tuple[str, str]:
    """The header without its example, and the example's SQL."""
    text, _, example = header.partition("Example: ")
    return text.strip(), re.sub(r"\n\s*", "\n    ", example.strip())


def page() -> str:
    """The whole page."""
    files = [file for file in sql_files() if "._" not in file.name]
    parts = [INTRODUCTION, "## Functions\n"]
    for file in files:
        if file.kind == "function":
            text, example = split_example(file.header)
            parts.append(f"### {file.name}\n\n```text\n{signature(file)}\n```\n")
            parts.append(f"```text\n{text}\n```\n")
            if example:
                parts.append(f"```sql\n{example}\n```\n")
    parts.append("## Types\n")
    for file in files:
        if file.kind == "type":
            attributes = re.search(r"create type \S+ as \(\n(.*?)\n\s*\);", file.text, re.S)
            declared = attributes[1].split(",\n") if attributes else []
            columns = ", ".join(" ".join(line.split()) for line in declared)
            parts.append(f"- `{file.name}`: {file.header.splitlines()[0]} Columns: {columns}.")
    parts.append("\n## Report views\n")
    for file in files:
        if file.kind == "view":
            parts.append(f"- `{file.name}`: {' '.join(file.header.split())}")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
            sys.exit("docs/sql-api.md is not what the comments in sql/ say. Run: make docs.")
    else:
        PAGE.write_text(page(), encoding="utf-8")
