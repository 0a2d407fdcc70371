"""The embedding model that the settings name."""

from recsys_pg.cli.progress import waiting
from recsys_pg.config import Settings
from recsys_pg.embedding import CachingEmbedder, SentenceTransformerEmbedder, TextEmbedder


def load_embedder() -> SentenceTransformerEmbedder:
    """The embedder of RECSYS_PG_EMBEDDING_MODEL for a text now and then, loaded; takes some seconds.

    Raises:
        MissingDependencyError: the extra ``embed``, or the model, is not installed.
        ModelError: the model is missing, corrupt or of other than 384 dimensions.
    """
    settings = Settings()
    with waiting("Loading the embedding model"):
        return SentenceTransformerEmbedder(settings.embedding_model, threads=settings.embedding_threads)


def load_worker_embedder(name: str | None = None) -> tuple[TextEmbedder, str]:
    """The same for many texts, or another model, as fast as settings and machine allow; and how it computes.

    Raises:
        MissingDependencyError, ModelError: as above.
    """
    settings = Settings()
    with waiting("Loading the embedding model"):
        model = SentenceTransformerEmbedder(
            name or settings.embedding_model,
            threads=settings.embedding_threads,
            batch_tokens=settings.embedding_batch_tokens,
            precision=settings.embedding_precision,
        )
    manner = f"{model.precision}, {model.threads} thread{'s' * (model.threads > 1)}"
    if settings.embedding_cached_texts == 0:
        return model, manner
    return CachingEmbedder(model, settings.embedding_cached_texts), manner
