"""The commands around the queue of items to embed: worker and requeue."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.errors import FAILURE
from recsys_pg.cli.output import AsJson, print_json, print_line
from recsys_pg.cli.process import log_as_json
from recsys_pg.cli.progress import progress_bars
from recsys_pg.errors import InvalidArgumentError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from recsys_pg.embedding import Observer, WorkerReport


def worker(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop when no item waits any more.")] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=10_000,
            help="Items to claim at once. Left out: RECSYS_PG_WORKER_BATCH_SIZE, or 256.",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=64,
            help="Batches in work at a time, so that one is read or written while the model is at another."
            " Left out: RECSYS_PG_WORKER_CONCURRENCY, or 2.",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            help="Serve /metrics for Prometheus, /healthz and /readyz there. Left out:"
            " RECSYS_PG_WORKER_METRICS_PORT, or nowhere.",
        ),
    ] = None,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log every batch and error to stderr, a JSON object a line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn the texts of items into vectors, as items come and change.

    Any number of workers, on any machines, share the work. SIGTERM or Ctrl-C lets a worker finish what is in
    the model and give back the rest; a second one ends it at once, which loses nothing either. With --once
    it exits with 1 if items failed for good. Needs the extras embed and model.

    \b
    Examples:
      recsys-pg worker
      recsys-pg worker --once && recsys-pg train
      recsys-pg worker --metrics-port 9100 --log-json
    """
    from recsys_pg.cli.embedder import load_worker_embedder
    from recsys_pg.config import Settings
    from recsys_pg.embedding import Worker

    settings = Settings()
    if log_json:
        log_as_json("recsys_pg.embedding")
    port = metrics_port or settings.worker_metrics_port
    with connected_to_schema(context) as engine, _served(engine, port) as observer:
        stop = None if once else _stop_on_signal()
        embedder, manner = load_worker_embedder()
        worker = Worker(
            engine,
            embedder,
            batch_size=batch_size or settings.worker_batch_size,
            concurrency=concurrency or settings.worker_concurrency,
            lease_seconds=settings.worker_lease_seconds,
            max_attempts=settings.worker_max_attempts,
            poll_seconds=settings.worker_poll_seconds,
            observer=observer,
        )
        if stop is not None:
            print(
                f"Embedding items as they come, with {embedder.name} ({manner}); Ctrl-C ends it.",
                file=sys.stderr,
            )
            report = worker.run(stop)
        else:
            with progress_bars() as progress:
                report = worker.run_once(progress)
    _print(report, as_json=as_json)
    if once and report.failed:
        raise typer.Exit(FAILURE)


def requeue(
    context: typer.Context,
    items: Annotated[
        list[int] | None, typer.Option("--item", metavar="ID", help="Only this item; repeat it for more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give items that could not be embedded another try; recsys_report.failed_embeddings lists them.

    \b
    Examples:
      recsys-pg requeue
      recsys-pg requeue --item 17 --item 23
    """
    from recsys_pg.embedding import requeue_failed

    with connected_to_schema(context) as engine:
        count = requeue_failed(engine, items or None)
    if items and count < len(set(items)):
        raise InvalidArgumentError(
            f"Only {count:,} of the {len(set(items)):,} items named have failed for good; those are back.",
            "recsys_report.failed_embeddings lists the items that have.",
        )
    if as_json:
        print_json({"requeued": count})
    else:
        print_line(f"Put {count:,} items back into the queue.")


@contextmanager
def _served(engine: "sa.Engine", port: int | None) -> "Iterator[Observer | None]":
    """The metrics of a worker, served on a port meanwhile; without one, none."""
    from recsys_pg.embedding import MetricsServer, WorkerMetrics

    if port is None:
        yield None
        return
    metrics = WorkerMetrics(engine)
    server = MetricsServer(metrics, port)
    try:
        yield metrics
    finally:
        server.close()


def _stop_on_signal() -> threading.Event:
    """An event that the first SIGTERM or SIGINT sets; the second does what it did before."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def set_stop(_number: int, _frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        # in a thread: the interrupted code may hold the lock of the event
        threading.Thread(target=stop.set).start()

    for number in before:
        signal.signal(number, set_stop)
    return stop


def _print(report: "WorkerReport", *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    print_line(f"Embedded {report.embedded:,} items in {report.seconds:.1f} s.")
    for count, what in (
        (report.emptied, "have no text, so they get no vector"),
        (report.retried, "went back into the queue"),
        (report.lost, "changed meanwhile or were taken over by another worker"),
        (report.failed, "failed for good: see recsys_report.failed_embeddings, then recsys-pg requeue"),
    ):
        if count:
            print_line(f"{count:,} {what}.")
