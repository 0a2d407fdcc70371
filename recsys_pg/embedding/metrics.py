"""A worker's numbers for Prometheus, and its health for whoever restarts it, over HTTP."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.embedding.observer import Observer
from recsys_pg.embedding.transactions import transact
from recsys_pg.errors import InvalidArgumentError, MissingDependencyError

_QUEUE_SECONDS = 5.0
"""How old the numbers of the queue may be: it is counted, which takes a tenth of a second for a million."""

_ALIVE_SECONDS = 30.0
_BATCH_SIZES = (1, 4, 16, 64, 256, 1024, 4096)

_QUEUE = """
select count(*) filter (where s.state = 'due') as due, count(*) filter (where s.state = 'leased') as leased,
    count(*) filter (where s.state = 'delayed') as delayed,
    count(*) filter (where s.state = 'failed') as failed,
    coalesce(extract(epoch from now() - min(s.requested_at) filter (where s.state <> 'failed')), 0)::float8
        as oldest_seconds
from (
    select j.requested_at,
        case when j.failed_at is not null then 'failed' when j.available_at <= now() then 'due'
            when j.lease_token is not null then 'leased' else 'delayed' end as state
    from recsys.embedding_jobs j
    join recsys.models m on m.id = j.model_id and m.is_active
) s
"""


class WorkerMetrics(Observer):
    """Keeps the numbers of a worker, as metrics of prometheus_client in ``registry``."""

    def __init__(self, engine: sa.Engine) -> None:
        """Metrics of a worker on a database, whose queue is counted when they are read.

        Raises:
            MissingDependencyError: the extra ``metrics`` is not installed.
        """
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise MissingDependencyError(
                "The metrics of a worker need prometheus-client, which is not installed.",
                'Run: pip install "recsys-pg[metrics]".',
            ) from error
        self.registry = prometheus.CollectorRegistry()
        self._items = prometheus.Counter(
            "recsys_worker_items", "Items by what became of them.", ["outcome"], registry=self.registry
        )
        self._texts = prometheus.Counter(
            "recsys_worker_texts", "Texts that the model embedded.", registry=self.registry
        )
        self._batches = prometheus.Histogram(
            "recsys_worker_batch_texts",
            "Texts in a call of the model.",
            buckets=_BATCH_SIZES,
            registry=self.registry,
        )
        self._model_seconds = prometheus.Counter(
            "recsys_worker_model_seconds", "Seconds that calls of the model took.", registry=self.registry
        )
        self._database_seconds = prometheus.Counter(
            "recsys_worker_database_seconds",
            "Seconds that transactions of the queue took.",
            registry=self.registry,
        )
        self._errors = prometheus.Counter(
            "recsys_worker_errors",
            "Failures of texts, of the model and of the database, by class.",
            ["error"],
            registry=self.registry,
        )
        for outcome in ("embedded", "emptied", "failed", "retried", "lost"):
            self._items.labels(outcome)
        self._engine = engine
        self._queue: Any = None
        self._queue_at = 0.0
        self._queue_lock = threading.Lock()
        self._ready = False
        self._alive_at = time.monotonic()
        self.registry.register(self)

    def model_ran(self, texts: int, seconds: float) -> None:
        """Count texts and seconds."""
        self._texts.inc(texts)
        self._batches.observe(texts)
        self._model_seconds.inc(seconds)

    def database_answered(self, seconds: float) -> None:
        """Count seconds."""
        self._database_seconds.inc(seconds)

    def settled(self, outcomes: Mapping[str, int]) -> None:
        """Count items."""
        for outcome, count in outcomes.items():
            self._items.labels(outcome).inc(count)

    def failed(self, error: BaseException) -> None:
        """Count an error by its class; of the database's, that of the driver."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        self._errors.labels(type(cause).__name__).inc()

    def is_ready(self, ready: bool) -> None:
        """Remember it."""
        self._ready = ready

    def is_alive(self) -> None:
        """Remember when."""
        self._alive_at = time.monotonic()

    def health(self) -> tuple[bool, bool]:
        """Whether the worker is alive; and whether it is ready: model and database answer too."""
        alive = time.monotonic() - self._alive_at < _ALIVE_SECONDS
        return alive, alive and self._ready

    def collect(self) -> Iterator[Any]:
        """The metrics of the queue, which are the same whichever worker is asked."""
        from prometheus_client.core import GaugeMetricFamily

        queue = self._count_queue()
        up = GaugeMetricFamily("recsys_database_up", "Whether the database answers.")
        up.add_metric([], float(queue is not None))
        yield up
        jobs = GaugeMetricFamily(
            "recsys_embedding_jobs",
            "Items that wait: due, leased to a worker, delayed after an error; or failed for good.",
            labels=["state"],
        )
        oldest = GaugeMetricFamily(
            "recsys_embedding_oldest_job_seconds", "How long the longest waiting item has waited."
        )
        if queue is not None:
            for state in ("due", "leased", "delayed", "failed"):
                jobs.add_metric([state], getattr(queue, state))
            oldest.add_metric([], queue.oldest_seconds)
        yield jobs
        yield oldest

    def describe(self) -> Iterable[Any]:
        """Nothing: so that registering asks no database."""
        return []

    def _count_queue(self) -> Any:
        with self._queue_lock:
            if time.monotonic() - self._queue_at > _QUEUE_SECONDS:
                try:
                    self._queue = transact(
                        self._engine, lambda connection: connection.execute(sa.text(_QUEUE)).one()
                    )
                except DBAPIError:
                    self._queue = None
                self._queue_at = time.monotonic()
            return self._queue


class MetricsServer:
    """Serves /metrics, /healthz and /readyz in a thread: 200, or 503 where the worker is not healthy."""

    def __init__(self, metrics: WorkerMetrics, port: int, host: str = "") -> None:
        """Listen on a port of all addresses, or of one.

        Raises:
            InvalidArgumentError: the port cannot be had.
        """
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                alive, ready = metrics.health()
                if path == "/metrics":
                    self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
                elif path in ("/healthz", "/readyz"):
                    well = alive if path == "/healthz" else ready
                    self._answer(200 if well else 503, b"ok\n" if well else b"not ok\n", "text/plain")
                else:
                    self._answer(404, b"/metrics, /healthz or /readyz\n", "text/plain")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing of requests."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise InvalidArgumentError(
                f"Port {port} cannot be had for metrics: {error.strerror}.",
                "Pass another one (--metrics-port).",
            ) from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="recsys-pg-metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
