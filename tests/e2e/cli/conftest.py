"""Running `recsys-pg` on a small shop with awkward titles."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg import db
from recsys_pg.cli.app import run
from recsys_pg.types import ItemRecord
from recsys_pg.unit_of_work import UnitOfWork

PROGRAM = Path(sys.executable).with_name("recsys-pg")

ITEMS = (
    ItemRecord(id=1, external_id="sku-1", title="The Matrix", category="Action", price=10, tags=("robots",)),
    ItemRecord(id=2, external_id="sku-2", title="The Matrix Reloaded", category="Action", price=12),
    ItemRecord(
        id=3, external_id="sku-3", title='Say "Hi"; drop table items; --\'', category="Comedy", price=5
    ),
    ItemRecord(
        id=4, external_id="sku-4", title="Amélie 🎬 [bold]", category="Comedy", price=7, in_stock=False
    ),
    ItemRecord(id=5, external_id="sku-5", title="1984", category="Drama", price=9),
    ItemRecord(id=6, external_id="sku-6", title="Alien", category="Action", price=8),
    ItemRecord(id=7, external_id="sku-7", title="Aliens", category="Action", price=8, in_stock=False),
    ItemRecord(id=8, external_id="sku-8", title="100% Wolf\x1b[2J\n", category="Drama"),
)
LIKES = {"ann": (1, 2, 6), "bob": (1, 3, 6), "cem": (2, 4), "dee": ()}


@dataclass(frozen=True)
class Outcome:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    def error(self) -> str:
        """The one line that a failed run says, and nothing else."""
        assert self.out == ""
        assert self.err.startswith("Error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("Error: ").strip()


RunCli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunCli:
    """Runs the command line in this process, away from the settings of the machine."""
    for name in [name for name in os.environ if name.startswith("RECSYS_PG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run_here(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(arguments)
        return Outcome(code, *capsys.readouterr())

    return run_here


@pytest.fixture
def start_cli(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the installed program in a process of its own, and ends it with the test."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("RECSYS_PG_", "PYTHON"))
    }
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=tmp_path,
            env=environment | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


@pytest.fixture(scope="session")
def shop_template(server_url: str, template: str) -> str:
    """The name of a database with `ITEMS`, the people of `LIKES`, and an item graph made by hand."""
    name = f"{template}_shop"
    parameters = db.connection_parameters(server_url)
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"')
    engine = sa.create_engine(
        "postgresql+psycopg://", connect_args=parameters | {"dbname": name}, poolclass=sa.NullPool
    )
    with UnitOfWork(engine) as work:
        work.items.save_all(ITEMS)
        for person, liked in LIKES.items():
            user_id = work.users.ensure(person)
            for item_id in liked:
                work.interactions.record(user_id, item_id, "like")
        work.session.execute(
            sa.text(
                "with model as (insert into recsys.models (purpose, name, revision, is_active)"
                " values ('collaborative', 'by hand', '1', true) returning id)"
                " insert into recsys.item_neighbors (model_id, item_id, neighbor_ids, weights)"
                " select id, v.item_id, v.neighbor_ids, v.weights from model,"
                " (values (1, '{2,7,3}'::bigint[], '{0.5,0.4,0.1}'::real[]), (6, '{7}', '{0.9}'))"
                " v (item_id, neighbor_ids, weights)"
            )
        )
        work.session.execute(sa.text("select recsys_api.refresh_popularity()"))
    return name


@pytest.fixture(scope="session")
def shop(server_url: str, shop_template: str) -> str:
    """The URL of the shop, which all tests read and none writes to."""
    return make_conninfo(**db.connection_parameters(server_url) | {"dbname": shop_template})


@pytest.fixture
def own_shop(create_database: Callable[..., str], shop_template: str) -> str:
    """The URL of a shop of this test's own."""
    return create_database(shop_template)
