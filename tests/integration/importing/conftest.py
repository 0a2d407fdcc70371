"""A database to import into, and what the tests of imports ask of it."""

import pytest
import sqlalchemy as sa

from recsys_pg.importing import import_dataset, open_dataset


@pytest.fixture
def rows(engine):
    """Runs a query in a transaction of its own."""

    def run(query, **parameters):
        with engine.begin() as connection:
            result = connection.execute(sa.text(query), parameters)
            return result.fetchall() if result.returns_rows else []

    return run


@pytest.fixture
def everything(rows):
    """Gives every row of every table that an import writes, with its place and version.

    As a transaction of its own sees them, or whatever runs queries.
    """

    def read(rows=rows):
        tables = ("items", "users", "interactions", "embedding_jobs", "item_popularity")
        return {
            table: rows(f"select ctid::text, xmin::text, t::text from recsys.{table} t") for table in tables
        }

    return read


@pytest.fixture
def import_text(engine):
    """Imports one file, whose name says what it holds."""

    def run(folder, name, content, **options):
        (folder / name).write_text(content, encoding="utf-8")
        return import_dataset(engine, open_dataset(folder / name), **options)

    return run
