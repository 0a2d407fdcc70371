"""Where the benchmarks run and leave their results: the server that is set, or a private one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_pg import embedded
from recsys_pg.config import Settings

RESULTS = Path(__file__).parent / "results"


@contextmanager
def server_url() -> Iterator[str]:
    """The server of RECSYS_PG_DATABASE_URL, or else an embedded one that is gone afterwards."""
    configured = Settings().database_url
    if configured:
        yield configured
        return
    with tempfile.TemporaryDirectory(prefix="recsys_benchmark_") as folder:
        server = embedded.start(Path(folder) / "data", on_exit="stop")
        yield server.url
        server.stop()
