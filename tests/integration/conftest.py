"""A database for all tests of a file that leave nothing behind; the command line in this process."""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.orm import Session

from recsys_pg import db
from recsys_pg.cli.app import run


@pytest.fixture(scope="module")
def shared_engine(server_url: str, template: str) -> Iterator[sa.Engine]:
    """An engine on a migrated, empty database of this file's own, in which no test commits."""
    name = f"recsys_test_{uuid.uuid4().hex[:12]}"
    parameters = db.connection_parameters(server_url)
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"')
    engine = db.create_engine(make_conninfo(**parameters | {"dbname": name}))
    yield engine
    engine.dispose()
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture
def shared_session(shared_engine: sa.Engine) -> Iterator[Session]:
    """A session on the file's database, rolled back after the test."""
    with Session(shared_engine) as session:
        yield session


@dataclass(frozen=True)
class Outcome:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, monkeypatch, shop_url):
    """Runs the command line in this process, on the shop of this folder's tests."""
    for name in [name for name in os.environ if name.startswith("RECSYS_PG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECSYS_PG_DATABASE_URL", shop_url)

    def run_here(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(arguments)
        return Outcome(code, *capsys.readouterr())

    return run_here
