"""A small film shop, made by the product's own worker and training; tests get clones of it."""

import random
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa

from recsys_pg import db
from recsys_pg.collaborative import train
from recsys_pg.demo.films import described_films
from recsys_pg.embedding import SentenceTransformerEmbedder, Worker
from recsys_pg.types import ItemRecord
from recsys_pg.unit_of_work import UnitOfWork

CATEGORIES = ("Drama", "Comedy", "Action", "Sci-Fi")
PEOPLE = ("843", "customer-17", *(f"person-{number}" for number in range(3, 61)))


@pytest.fixture(scope="session")
def film_template(server_url: str, template: str) -> str:
    """The name of a database with 260 described films, embedded, and 60 people whose likes are trained on."""
    name = f"{template}_films"
    parameters = db.connection_parameters(server_url)
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"')
    engine = sa.create_engine(
        "postgresql+psycopg://", connect_args=parameters | {"dbname": name}, poolclass=sa.NullPool
    )
    _fill(engine)
    Worker(engine, SentenceTransformerEmbedder()).run_once()
    train(engine)
    return name


@pytest.fixture
def film_url(create_database: Callable[..., str], film_template: str) -> str:
    """The URL of a film shop of this test's own."""
    return create_database(film_template)


def _fill(engine: sa.Engine) -> None:
    dice = random.Random(7)
    with UnitOfWork(engine) as work:
        rated: list[list[int]] = [[] for _ in CATEGORIES]
        for number, film in enumerate(described_films()):
            group = number % len(CATEGORIES)
            item_id = work.items.save(
                ItemRecord(
                    external_id=film["item_id"] or film["external_id"],
                    title=film["title"],
                    description=film["description"],
                    category=CATEGORIES[group],
                    in_stock=number % 5 > 0,
                )
            )
            if film["item_id"]:
                rated[group].append(item_id)
        for number, person in enumerate(PEOPLE):
            user_id = work.users.ensure(person)
            for item_id in dice.sample(rated[number % len(CATEGORIES)], 12):
                work.interactions.record(user_id, item_id, "like")
