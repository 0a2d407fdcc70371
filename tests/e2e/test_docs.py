"""Every code block of README.md and docs/ runs: sql, python and bash; text and console blocks only show."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
EXAMPLE_URL = "postgresql://owner@db.example/shop"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


def code_blocks(page: Path) -> list[tuple[str, int, str]]:
    """Language, line number and text of every block of a page."""
    text = page.read_text(encoding="utf-8")
    return [(match[1], text.count("\n", 0, match.start()) + 1, match[2]) for match in _BLOCK.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_names_its_language(page: Path) -> None:
    unknown = {language for language, _, _ in code_blocks(page)} - {
        "sql",
        "python",
        "bash",
        "text",
        "console",
    }
    assert not unknown


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if {language for language, _, _ in code_blocks(page)} & {"sql", "python", "bash"}
    ],
    ids=lambda page: page.name,
)
def test_the_code_of_a_page_runs(page: Path, film_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_PG_DATABASE_URL", film_url)
    namespace: dict[str, Any] = {"__name__": "docs"}
    for language, line, code in code_blocks(page):
        where = f"{page.name}:{line}"
        if language == "sql":
            with psycopg.connect(film_url) as connection:
                try:
                    connection.execute(code.encode())
                except psycopg.Error as error:
                    pytest.fail(f"{where}: {error}")
        elif language == "python":
            exec(compile(code, where, "exec"), namespace)
        elif language == "bash":
            script = code.replace(EXAMPLE_URL, shlex.quote(film_url))
            result = subprocess.run(
                ["bash", "-euc", script],
                cwd=ROOT,
                env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, f"{where}:\n{result.stdout}{result.stderr}"
    for value in namespace.values():
        if isinstance(value, sa.Engine):
            value.dispose()


def test_the_applications_sql_of_the_readme_runs_as_its_role(film_url: str) -> None:
    blocks = [code for language, _, code in code_blocks(ROOT / "README.md") if language == "sql"]
    application = [code for code in blocks if "insert into recsys.items" not in code]
    assert len(blocks) == len(application) + 1
    with psycopg.connect(film_url, autocommit=True) as connection:
        connection.execute("set role recsys_app")
        for code in application:
            connection.execute(code.encode())


def test_the_sql_reference_is_what_the_functions_say() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_sql_api.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_every_link_inside_the_documentation_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
