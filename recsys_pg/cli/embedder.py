"""The embedding model that the settings name."""

from recsys_pg.cli.progress import waiting
from recsys_pg.config import Settings
from recsys_pg.embedding import SentenceTransformerEmbedder


def load_embedder() -> SentenceTransformerEmbedder:
    """The embedder of RECSYS_PG_EMBEDDING_MODEL, loaded; takes some seconds.

    Raises:
        MissingDependencyError: the extra ``embed``, or the model, is not installed.
        ModelError: the model is missing, corrupt or of other than 384 dimensions.
    """
    with waiting("Loading the embedding model"):
        return SentenceTransformerEmbedder(Settings().embedding_model)
