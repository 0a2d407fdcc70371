"""The demo's catalogue: MovieLens 100k, with descriptions in our own words, newer films, prices and stock."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from importlib import resources
from typing import Any

from recsys_pg.types import ItemRecord


def described_films() -> list[dict[str, Any]]:
    """The records of films.jsonl: descriptions of rated films, and films that nobody has rated."""
    text = resources.files("recsys_pg.demo").joinpath("films.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def offer(key: str, year: int | None) -> tuple[Decimal, bool]:
    """A price and whether it is in stock, made up: newer films cost more, one film in six is out of stock."""
    dice = zlib.crc32(key.encode())
    age = max(0, 2020 - (year or 1990))
    price = Decimal(max(4, 20 - age // 4) + dice % 5) + Decimal("0.99")
    return price, dice % 6 != 0


def with_descriptions_and_offers(films: Iterator[ItemRecord]) -> Iterator[ItemRecord]:
    """The given films with descriptions, prices and stock, followed by the unrated films.

    ``films`` are those of MovieLens 100k, with its item_id as external_id and the year in the attributes.
    """
    written = described_films()
    descriptions = {film["item_id"]: film["description"] for film in written if film["item_id"]}
    for film in films:
        key = film.external_id or ""
        year = film.attributes.get("year")
        price, in_stock = offer(key, int(year) if year else None)
        yield replace(film, description=descriptions.get(key), price=price, in_stock=in_stock)
    for new in written:
        if new["item_id"] is None:
            price, in_stock = offer(new["external_id"], new["year"])
            yield ItemRecord(
                external_id=new["external_id"],
                title=new["title"],
                description=new["description"],
                category=new["genres"][0],
                tags=tuple(new["genres"]),
                price=price,
                in_stock=in_stock,
                attributes={"year": new["year"]},
            )
