"""A worker process for the proofs by faults, which can end itself at a named step of the protocol.

python live_worker.py URL --model subjects --crash-at "after claim"
"""

import argparse
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from live_catalogue import SubjectEmbedder

from recsys_pg import db
from recsys_pg.embedding import Worker, queue

_STATEMENTS = {
    text.strip(): name.strip("_").lower().replace("_", " ")
    for name, text in vars(queue).items()
    if name.startswith("_") and isinstance(text, str)
}


def label(statement: str) -> str:
    """The name that the protocol's code has for a statement, else its first words."""
    statement = statement.strip()
    # whose text has the columns of the model filled in
    if statement.startswith("with locked"):
        return "write"
    return _STATEMENTS.get(statement) or " ".join(statement.split()[:4])


class Steps:
    """Sees every step: each statement and commit before and after, and the model; kills at one of them."""

    def __init__(self, crash_at: str | None, log: str | None) -> None:
        self._crash_at = crash_at
        self._log = log
        self._seen: set[str] = set()

    def reach(self, step: str) -> None:
        if self._log and step not in self._seen:
            self._seen.add(step)
            with open(self._log, "a", encoding="utf-8") as file:
                file.write(step + "\n")
        if step == self._crash_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, engine: sa.Engine) -> None:
        last = threading.local()

        @sa.event.listens_for(engine, "before_cursor_execute")
        def before(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            last.name = label(statement)
            self.reach(f"before {last.name}")

        @sa.event.listens_for(engine, "after_cursor_execute")
        def after(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            self.reach(f"after {label(statement)}")

        @sa.event.listens_for(engine, "commit")
        def commit(_c: Any) -> None:
            self.reach(f"before the commit of {getattr(last, 'name', '')}")

        @sa.event.listens_for(engine, "checkin")
        def checkin(_c: Any, _record: Any) -> None:
            self.reach(f"after the commit of {getattr(last, 'name', '')}")


class MoodyEmbedder(SubjectEmbedder):
    """Fails as a file says, as long as it says so."""

    def __init__(self, name: str, before: Any, mood: str | None) -> None:
        super().__init__(name, before)
        self._mood = Path(mood) if mood else None

    def embed(self, texts: Any) -> Any:
        mood = self._mood.read_text() if self._mood else ""
        if mood == "hang":
            time.sleep(3600)
        if mood == "raise":
            raise RuntimeError("the model is not well")
        vectors = super().embed(texts)
        if mood == "nan":
            vectors[0, 0] = np.nan
        return vectors[:, :100] if mood == "shape" else vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--model", default="subjects")
    parser.add_argument("--crash-at", help="the step at which it kills itself")
    parser.add_argument("--log", help="a file that gets the steps it reaches")
    parser.add_argument("--text-ms", type=float, default=0.5, help="what the model takes for a text")
    parser.add_argument("--mood", help="a file that says how the model is: raise, nan, shape, hang, or well")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lease", type=float, default=5.0)
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop.set).start())
    steps = Steps(options.crash_at, options.log)

    def model(texts: Any) -> None:
        steps.reach("in the model")
        time.sleep(len(texts) * options.text_ms / 1000)
        steps.reach("at the end of the model")

    engine = db.create_engine(options.url)
    steps.watch(engine)
    Worker(
        engine,
        MoodyEmbedder(options.model, model, options.mood),
        batch_size=options.batch_size,
        lease_seconds=options.lease,
        poll_seconds=0.2,
    ).run(stop)
    engine.dispose()


if __name__ == "__main__":
    main()
