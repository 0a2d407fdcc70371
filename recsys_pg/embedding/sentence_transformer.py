"""Text → vector by a sentence-transformers model."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import numpy as np

from recsys_pg.config import DEFAULT_MODEL, DIMENSIONS
from recsys_pg.embedding.embedder import Embeddings, require_dimensions
from recsys_pg.embedding.model_files import find_model, one_line
from recsys_pg.errors import InvalidArgumentError, MissingDependencyError, ModelError


class SentenceTransformerEmbedder:
    """A sentence-transformers model in float32, as a `TextEmbedder`.

    ``revision`` is ``sha256:`` and the digest of the model's weights, wherever they were loaded from.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        device: str | None = None,
        threads: int | None = None,
        batch_size: int = 64,
    ) -> None:
        """Load a model: a folder, a name on the Hugging Face hub, or by default that of the extra ``model``.

        ``device`` is torch's name of a device (None: a GPU if there is one), ``threads`` the CPU threads that
        torch uses in this process (None: its own choice), ``batch_size`` the texts in one pass of the model.

        Raises:
            MissingDependencyError: the extra ``embed`` is not installed; or the default model is neither
                installed (extra ``model``) nor to be had from the hub.
            ModelError: not found, corrupt, without safetensors weights, or not of 384 dimensions.
            InvalidArgumentError: threads or batch_size below 1.
        """
        for argument, value in (("threads", threads), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise InvalidArgumentError(f"{argument} is {value}.", "Pass a whole number of at least 1.")
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingDependencyError(
                f"Embedding texts needs sentence-transformers and torch: {one_line(error)}",
                'Run: pip install "recsys-pg[embed,model]".',
            ) from error
        if threads is not None:
            torch.set_num_threads(threads)
        with _quiet():
            files = find_model(model)
            try:
                loaded = SentenceTransformer(str(files.folder), device=device, local_files_only=True)
            # a folder can be broken in more ways than the libraries below have a common error for
            except Exception as error:
                raise ModelError(
                    f"The model {model} in {files.folder} cannot be loaded: {one_line(error)}",
                    "Check that the folder holds a complete sentence-transformers model.",
                ) from error
        self.name = files.name
        self.revision = files.revision
        # whatever precision the weights were stored in: the vectors of all machines must be comparable
        self._model = loaded.float()
        self._batch_size = batch_size
        self.dimensions = int(self._encode(["dimensions"]).shape[1])
        require_dimensions(self.name, self.dimensions)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of texts: (n_texts, 384) float32, in their order, rows of unit length.

        A text is read as far as the model's input goes, 256 tokens for the default model.
        """
        if isinstance(texts, str):
            raise InvalidArgumentError(f"texts is the string {texts[:40]!r}.", "Pass a list of texts.")
        return self._encode(texts) if texts else np.empty((0, DIMENSIONS), np.float32)

    def _encode(self, texts: Sequence[str]) -> Embeddings:
        vectors = self._model.encode(
            list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress bars and notes of the model's libraries off the terminal while a model loads."""
    hub = import_module("huggingface_hub.utils")
    transformers_logging = import_module("transformers.utils.logging")
    hub_logger = logging.getLogger("huggingface_hub")
    hub_level, hub_bars = hub_logger.level, not hub.are_progress_bars_disabled()
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    hub_logger.setLevel(logging.ERROR)
    hub.disable_progress_bars()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        hub_logger.setLevel(hub_level)
        transformers_logging.set_verbosity(level)
        if hub_bars:
            hub.enable_progress_bars()
        if bars:
            transformers_logging.enable_progress_bar()
