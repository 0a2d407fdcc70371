"""The two servers of the search benchmark, configured alike, and the machine."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from recsys_pg import embedded


def server_settings(rows: int) -> dict[str, str]:
    """What is set on both servers; all else has PostgreSQL's defaults."""
    return {
        "shared_buffers": f"{min(6144, max(256, rows // 100))}MB",
        "effective_cache_size": "12GB",
        "max_wal_size": "16GB",
    }


@contextmanager
def servers(folder: Path, rows: int) -> Iterator[tuple[str, str]]:
    """The URLs of two private servers with one configuration, of which the second has pgvectorscale."""

    def configure(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for name, value in server_settings(rows).items():
                connection.execute(f"alter system set {name} = '{value}'")

    import pgserver

    server = embedded.start(folder / "postgres", on_exit="stop")
    configure(server.url)
    server.stop()
    server = embedded.start(folder / "postgres", on_exit="stop")
    other = pgserver.get_server(folder / "vectorscale")
    configure(other.get_uri())
    other.cleanup()
    other = pgserver.get_server(folder / "vectorscale")
    try:
        yield server.url, other.get_uri()
    finally:
        other.cleanup()
        server.stop()


def machine() -> dict[str, Any]:
    """What the times depend on, besides the versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0],
        "cores": len(models),
        "memory_gb": round(memory / 2**30),
        "system": platform.platform(),
    }
