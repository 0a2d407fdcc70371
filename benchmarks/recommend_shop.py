"""The shop of recommend_data.py in a database, and its model: made once, by the product."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from recommend_data import Shop
from search_ours import Recsys
from search_servers import server_settings

from recsys_pg import embedded
from recsys_pg.repositories import copy_rows

START = datetime(2024, 1, 1, tzinfo=UTC)
CHUNK = 500_000


class ShopDatabase(Recsys):
    """Items with vectors, users, interactions."""

    storage = "recsys_pg"
    database = "recommend_shop"

    def __init__(self, shop: Shop, server_url: str) -> None:
        super().__init__(shop.catalogue, server_url)
        self._shop = shop

    def fill(self) -> dict[str, float]:
        """Make it, with all but a model; seconds of each step."""
        built = self.build()
        seconds = {"load items": built.load_seconds, "index of embeddings": built.index_seconds}
        self.open()
        started = time.perf_counter()
        sold_out = (~self._shop.in_stock).nonzero()[0] + 1
        self.connection.execute(
            "update recsys.items set in_stock = false where id = any (%s)", (sold_out.tolist(),)
        )
        copy_rows(
            self.connection,
            "recsys.users",
            ("id", "external_id"),
            ("int8", "text"),
            ((user + 1, f"user-{user + 1}") for user in range(int(self._shop.users.max()))),
        )
        for first in range(0, len(self._shop.users), CHUNK):
            part = slice(first, first + CHUNK)
            copy_rows(
                self.connection,
                "recsys.interactions",
                ("user_id", "item_id", "kind", "occurred_at"),
                ("int8", "int8", "text", "timestamptz"),
                (
                    (user, item, "like", START + timedelta(seconds=second))
                    for user, item, second in zip(
                        self._shop.users[part].tolist(),
                        self._shop.items[part].tolist(),
                        self._shop.seconds[part].tolist(),
                        strict=True,
                    )
                ),
            )
            print(f"\rinteractions: {first:,}", end="", file=sys.stderr, flush=True)
        seconds["load interactions"] = time.perf_counter() - started
        started = time.perf_counter()
        self.connection.execute("vacuum analyze")
        seconds["vacuum analyze"] = time.perf_counter() - started
        self.close()
        return seconds

    def train(self, memory_gb: float, seed: int) -> dict[str, Any]:
        """`recsys-pg train`: seconds, peak memory of its process in GB, and what it says."""
        command = [str(Path(sys.executable).parent / "recsys-pg"), "train", "--force"]
        started = time.perf_counter()
        with subprocess.Popen(
            [*command, "--memory-gb", str(memory_gb), "--seed", str(seed)],
            env=os.environ | {"RECSYS_PG_DATABASE_URL": self.url},
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
        ) as process:
            said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"recsys-pg train failed:\n{said}")
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        return {"seconds": round(seconds, 1), "peak_gb": round(peak, 2), "output": re.sub(r"\s+", " ", said)}


@contextmanager
def shop_server(folder: Path, items: int) -> Iterator[embedded.EmbeddedServer]:
    """A private server in the folder, with the settings of the search benchmark."""
    server = embedded.start(folder / "postgres", on_exit="stop")
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name, value in server_settings(items).items():
            connection.execute(f"alter system set {name} = '{value}'")
    server.stop()
    server = embedded.start(folder / "postgres", on_exit="stop")
    try:
        yield server
    finally:
        server.stop()
