"""The schema that a migration makes is the one written down, on every PostgreSQL."""

import importlib.util
from pathlib import Path

import psycopg


def load_snapshot_module():
    spec = importlib.util.spec_from_file_location("snapshot", Path(__file__).with_name("snapshot.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_is_the_one_in_schema_snapshot(empty_url):
    snapshot = load_snapshot_module()
    with psycopg.connect(empty_url) as connection:
        found = snapshot.describe(connection).splitlines()
    assert found == snapshot.SNAPSHOT.read_text(encoding="utf-8").splitlines(), (
        "If the change is meant, run: python tests/sql/snapshot.py"
    )
