"""The installed package: a wheel in an empty virtual environment, without torch, against a film shop."""

import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RECOMMEND = """
import importlib.util, sys
from recsys_pg.db import create_engine
from recsys_pg.types import ItemFilter
from recsys_pg.unit_of_work import UnitOfWork

assert importlib.util.find_spec("torch") is None and importlib.util.find_spec("scipy") is None
engine = create_engine(sys.argv[1])
with UnitOfWork(engine) as work:
    user_id = work.users.by_external_id("843").id
    rows = work.recommender.for_user(user_id, n=5, filter=ItemFilter(in_stock=True))
print(len(rows), all(row.in_stock and row.reason for row in rows))
"""

MIGRATE = """
import sys
from recsys_pg import schema
from recsys_pg.db import create_engine

engine = create_engine(sys.argv[1])
print(schema.migrate(engine).before)
with engine.connect() as connection:
    print(schema.schema_problems(connection))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", *command, str(ROOT)], check=True)
    return next(folder.glob("recsys_pg-*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty virtual environment with the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([python, "-m", "pip", "install", *options, str(wheel)], check=True)
    return python


def _run(python: Path, code: str, *arguments: str) -> list[str]:
    # not from the checkout, whose folder would come first in the search for modules
    result = subprocess.run(
        [python, "-W", "error", "-c", code, *arguments],
        cwd=python.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_wheel_holds_the_sql_and_the_migrations(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, packaged in (("sql", "_sql"), ("migrations", "_migrations")):
        sources = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".sql", ".py", ".mako")]
        assert sources
        assert {f"recsys_pg/{packaged}/{path.relative_to(ROOT / folder)}" for path in sources} <= names
    assert {"recsys_pg/py.typed", "recsys_pg/demo/films.jsonl"} <= names


def test_an_installed_package_recommends_without_torch(python: Path, film_url: str) -> None:
    assert _run(python, RECOMMEND, film_url) == ["5 True"]


def test_an_installed_package_migrates(python: Path, create_database: Callable[..., str]) -> None:
    assert _run(python, MIGRATE, create_database()) == ["None", "[]"]


def test_the_command_line_names_the_extra_that_is_missing(python: Path) -> None:
    command = subprocess.run(
        [python.parent / "recsys-pg", "status"], capture_output=True, text=True, check=False
    )
    assert command.returncode == 1
    assert "recsys-pg[cli]" in command.stderr
    assert "Traceback" not in command.stderr
