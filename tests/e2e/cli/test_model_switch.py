"""model switch."""

import hashlib

import numpy as np
import psycopg
import pytest

from recsys_pg import db
from recsys_pg.config import DEFAULT_MODEL
from recsys_pg.embedding import Worker


class Embedder:
    """A model of a name; the same texts lie elsewhere by another."""

    revision = "1"
    dimensions = 384

    def __init__(self, name: str) -> None:
        self.name = name

    def embed(self, texts):
        seeds = [int.from_bytes(hashlib.md5(f"{self.name} {text}".encode()).digest()[:8]) for text in texts]
        vectors = np.stack([np.random.default_rng(seed).standard_normal(384) for seed in seeds])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def embedded_shop(own_shop, monkeypatch):
    """The shop with vectors of the default model, and commands that embed without loading one."""
    monkeypatch.setattr(
        "recsys_pg.cli.embedder.load_worker_embedder",
        lambda name=None: (Embedder(name or DEFAULT_MODEL), "float32"),
    )
    with psycopg.connect(**db.connection_parameters(own_shop)) as connection:
        connection.execute("update recsys.models set revision = '1' where purpose = 'embedding'")
    engine = db.create_engine(own_shop)
    Worker(engine, Embedder(DEFAULT_MODEL)).run_once()
    engine.dispose()
    return own_shop


def test_there_and_back_and_for_good(cli, embedded_shop):
    at = ("--database-url", embedded_shop)
    done = cli("model", "switch", "other-model", *at)
    assert done.code == 0, done.err
    assert done.out.startswith("other-model is the embedding model now: 8 items, recall 1.000, in ")
    assert "RECSYS_PG_EMBEDDING_MODEL=other-model" in done.out
    assert f"Back: recsys-pg model switch {DEFAULT_MODEL}." in done.out
    status = cli("status", *at).out
    assert f"embedding  {DEFAULT_MODEL} (standby): 8 done, 0 waiting, 0 failed" in status
    assert "embedding  other-model: 8 done" in status

    back = cli("model", "switch", DEFAULT_MODEL, "--json", *at)
    assert back.code == 0, back.err
    assert (back.json["model"], back.json["before"], back.json["uncovered"]) == (
        DEFAULT_MODEL,
        "other-model",
        0,
    )
    again = cli("model", "switch", DEFAULT_MODEL, *at)
    assert (again.code, again.out) == (
        0,
        f"{DEFAULT_MODEL} is the embedding model already; nothing was done.\n",
    )
    assert cli("model", "switch", "--finish", *at).out == (
        "The vectors of other-model are gone; a switch back to it embeds everything again.\n"
    )
    assert cli("model", "switch", "--finish", "--json", *at).json == {"given_up": None}
    assert cli("model", "switch", "--finish", *at).out == "There was no model to give up.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Neither NAME nor --finish was given."),
        (("other-model", "--finish"), "Both NAME and --finish were given."),
    ],
)
def test_refusals_name_the_remedy(cli, embedded_shop, arguments, message):
    refused = cli("model", "switch", *arguments, "--database-url", embedded_shop)
    assert refused.code != 0
    assert refused.error().startswith(message)


def test_shares_are_shares(cli, embedded_shop):
    refused = cli("model", "switch", "other-model", "--min-coverage", "7", "--database-url", embedded_shop)
    assert refused.code == 2
    assert "7" in refused.err
    assert "--min-coverage" in refused.err


def test_what_cannot_follow_is_named(cli, embedded_shop):
    with psycopg.connect(**db.connection_parameters(embedded_shop)) as connection:
        connection.execute("create materialized view public.copied as select embedding from recsys.items")
    refused = cli("model", "switch", "other-model", "--database-url", embedded_shop)
    assert refused.code != 0
    assert "materialized view public.copied" in refused.error()
