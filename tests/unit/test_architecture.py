"""The structure of the package: who may import whom, what an import costs, who reads the environment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "recsys_pg"
HEAVY = {"torch", "transformers", "sentence_transformers", "scipy", "sklearn", "pyarrow", "typer", "rich"}


def run(tool: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment that the tests run in, at the root of the repository."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)


def test_dependencies_point_one_way():
    linted = run("lint-imports", "--no-logo", "--no-cache")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_recommending_loads_no_heavy_library():
    script = (
        "import json, sys, recsys_pg, recsys_pg.recommender, recsys_pg.reporting, recsys_pg.unit_of_work;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = run(Path(sys.executable).name, "-c", script)
    assert loaded.returncode == 0, loaded.stderr
    assert HEAVY.isdisjoint(json.loads(loaded.stdout))


READS_ENVIRONMENT = "import os\n\nHOME = os.environ['HOME']\n"
READS_SETTINGS = "from pydantic_settings import BaseSettings as BaseSettings\n"
READS_ARGUMENTS = "import sys\n\nNAME = sys.argv[0]\n"


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("recsys_pg/config.py", READS_ENVIRONMENT, True),
        ("recsys_pg/config.py", READS_SETTINGS, True),
        ("recsys_pg/db.py", READS_ENVIRONMENT, False),
        ("recsys_pg/db.py", READS_ENVIRONMENT.replace("environ['HOME']", "getenv('HOME')"), False),
        ("recsys_pg/embedding/worker.py", READS_SETTINGS, False),
        ("recsys_pg/cli/__init__.py", READS_ARGUMENTS, True),
        ("recsys_pg/cli/app.py", READS_ENVIRONMENT, False),
        ("recsys_pg/recommender.py", READS_ARGUMENTS, False),
    ],
)
def test_ruff_refuses_a_module_that_reads_the_environment_or_the_arguments(path, source, allowed):
    linted = run("ruff", "check", "--select=TID251", "--stdin-filename", path, "-", stdin=source)
    assert linted.returncode == (0 if allowed else 1), linted.stdout + linted.stderr


def test_only_config_reads_the_environment_and_every_module_says_what_it_is_for():
    linted = run("ruff", "check", "--select=TID251,D100,D104", "recsys_pg")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_no_file_holds_more_than_one_can_read_at_a_sitting():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > 400} == {}


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()
