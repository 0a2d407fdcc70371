"""Text → vector: what an embedder is, sentence-transformers as one, and the worker that embeds the catalogue.

Importing this package loads no torch; making a `SentenceTransformerEmbedder` does.
"""

from recsys_pg.embedding.active_model import require_model
from recsys_pg.embedding.benchmark import Speed, measure_speed
from recsys_pg.embedding.cache import CachingEmbedder
from recsys_pg.embedding.embedder import Embeddings, TextEmbedder, check_vectors
from recsys_pg.embedding.metrics import MetricsServer, WorkerMetrics
from recsys_pg.embedding.model_files import bundled_model_path
from recsys_pg.embedding.observer import Observer
from recsys_pg.embedding.queue import requeue_failed
from recsys_pg.embedding.sentence_transformer import SentenceTransformerEmbedder
from recsys_pg.embedding.worker import Worker, WorkerReport

__all__ = [
    "CachingEmbedder",
    "Embeddings",
    "MetricsServer",
    "Observer",
    "SentenceTransformerEmbedder",
    "Speed",
    "TextEmbedder",
    "Worker",
    "WorkerMetrics",
    "WorkerReport",
    "bundled_model_path",
    "check_vectors",
    "measure_speed",
    "requeue_failed",
    "require_model",
]
