"""MovieLens latest-small with the overviews of TMDB, as rows of the database."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from psycopg.types.json import Jsonb
from pyarrow import parquet

from recsys_pg.repositories import copy_rows


@dataclass(frozen=True)
class Rating:
    user_id: int
    item_id: int
    stars: float
    occurred_at: datetime


def read_ratings(data: Path) -> list[Rating]:
    """Oldest first; those of one second in the order of the file."""
    found = [
        Rating(
            int(row["userid"]),
            int(row["movieid"]),
            float(row["rating"]),
            datetime.fromtimestamp(int(row["timestamp"]), UTC),
        )
        for row in _rows(data / "ml-latest-small" / "ratings.csv.gz")
    ]
    return sorted(found, key=lambda rating: rating.occurred_at)


def load_films(engine: sa.Engine, data: Path) -> None:
    """All films: their title, their genres as category and tags, and of those that TMDB has the overview."""
    imdb_ids = {
        row["movieId"]: "tt" + row["imdbId"].zfill(7)
        for row in _rows(data / "ml-latest-small" / "links.csv.gz")
    }
    table = parquet.read_table(
        data / "tmdb" / "movies.parquet", columns=["imdb_id", "overview", "original_language"]
    )
    known = {row["imdb_id"]: row for row in table.to_pylist()}
    films = []
    for row in _rows(data / "ml-latest-small" / "movies.csv.gz"):
        genres = [genre for genre in row["genres"].split("|") if not genre.startswith("(")]
        of_tmdb = known.get(imdb_ids[row["movieId"]], {})
        language = of_tmdb.get("original_language")
        films.append(
            (
                int(row["movieId"]),
                row["title"],
                of_tmdb.get("overview"),
                next(iter(genres), None),
                genres,
                Jsonb({"language": language} if language else {}),
            )
        )
    with engine.connect() as connection, connection.begin():
        copy_rows(
            connection.connection.driver_connection,
            "recsys.items",
            ("id", "title", "description", "category", "tags", "attributes"),
            ("int8", "text", "text", "text", "text[]", "jsonb"),
            films,
        )


def load_users(engine: sa.Engine, ratings: Sequence[Rating]) -> None:
    """The users of the ratings."""
    users = sorted({rating.user_id for rating in ratings})
    with engine.connect() as connection, connection.begin():
        driver = connection.connection.driver_connection
        copy_rows(driver, "recsys.users", ("id",), ("int8",), ((user,) for user in users))


def load_ratings(engine: sa.Engine, ratings: Sequence[Rating]) -> None:
    """Interactions of kind 'rating' in the given order; the users are there."""
    with engine.connect() as connection, connection.begin():
        copy_rows(
            connection.connection.driver_connection,
            "recsys.interactions",
            ("user_id", "item_id", "kind", "value", "occurred_at"),
            ("int8", "int8", "text", "float8", "timestamptz"),
            (
                (rating.user_id, rating.item_id, "rating", rating.stars, rating.occurred_at)
                for rating in ratings
            ),
        )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
