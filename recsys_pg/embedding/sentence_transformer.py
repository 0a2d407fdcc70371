"""Text → vector by a sentence-transformers model."""

import copy
import logging
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.pool import ThreadPool
from typing import Any, Literal, TypeAlias

import numpy as np

from recsys_pg.config import DEFAULT_MODEL, DIMENSIONS
from recsys_pg.embedding.embedder import Embeddings, require_dimensions
from recsys_pg.embedding.model_files import find_model, one_line
from recsys_pg.errors import InvalidArgumentError, MissingDependencyError, ModelError

Precision: TypeAlias = Literal["float32", "bfloat16", "auto"]

_CPU_TOKENS, _GPU_TOKENS = 1_024, 65_536
"""Tokens in one pass of the model, of one thread on a CPU: what passes through the caches."""

_LEAST_COSINE = 0.999
_LEAST_GAIN = 1.2
_PROBES = tuple(
    f"A text of a catalogue, number {number}, {'long enough to keep the processor busy for a moment, ' * 4}"
    for number in range(32)
)


class SentenceTransformerEmbedder:
    """A sentence-transformers model, as a `TextEmbedder`; safe for threads.

    ``revision`` is ``sha256:`` and the digest of the model's weights, wherever they were loaded from, in
    whatever precision they are used: the vectors of all machines can be compared. ``precision`` is what it
    computes in, ``threads`` the CPU threads that it takes, ``batch_tokens`` the tokens in one pass.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        device: str | None = None,
        threads: int | None = None,
        batch_tokens: int | None = None,
        precision: Precision = "float32",
    ) -> None:
        """Load a model: a folder, a name on the Hugging Face hub, or by default that of the extra ``model``.

        ``device`` is torch's name of a device (None: a GPU if there is one), ``threads`` the CPU threads that
        torch uses in this process (None: its own choice, or as many as the container may use),
        ``batch_tokens`` the tokens, padding included, in one pass of the model (None: 1,024, on a GPU
        65,536). ``precision`` "auto" measures both for a second and takes bfloat16 where it is faster by a
        fifth and the vectors keep a cosine of .999 to those of float32.

        Raises:
            MissingDependencyError: the extra ``embed`` is not installed; or the default model is neither
                installed (extra ``model``) nor to be had from the hub.
            ModelError: not found, corrupt, without safetensors weights, or not of 384 dimensions.
            InvalidArgumentError: threads or batch_tokens below 1.
        """
        for argument, value in (("threads", threads), ("batch_tokens", batch_tokens)):
            if value is not None and value < 1:
                raise InvalidArgumentError(f"{argument} is {value}.", "Pass a whole number of at least 1.")
        try:
            import torch
            from joblib import cpu_count
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingDependencyError(
                f"Embedding texts needs sentence-transformers and torch: {one_line(error)}",
                'Run: pip install "recsys-pg[embed,model]".',
            ) from error
        if threads is not None:
            torch.set_num_threads(threads)
        elif cpu_count() < torch.get_num_threads():
            # torch counts the cores of the machine, whatever the container may use of them
            torch.set_num_threads(cpu_count())
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
        self.threads = int(torch.get_num_threads())
        self.batch_tokens = batch_tokens or (_CPU_TOKENS if loaded.device.type == "cpu" else _GPU_TOKENS)
        # whatever precision the weights were stored in
        self._model = loaded.float()
        self.dimensions = int(_encode(self._model, ["dimensions"]).shape[1])
        require_dimensions(self.name, self.dimensions)
        self.precision: Literal["float32", "bfloat16"] = "float32"
        if precision == "bfloat16" or (precision == "auto" and _is_faster_in_bfloat16(self._model)):
            self._model = loaded.bfloat16()
            self.precision = "bfloat16"
        # of its own: counting changes how a tokenizer pads, which no other thread may meanwhile
        self._tokenizer = copy.deepcopy(loaded.tokenizer)
        self._counting = threading.Lock()
        # passes side by side, of one thread each, wait for each other less than the threads of one pass do
        passes = self.threads if loaded.device.type == "cpu" else 1
        # (of multiprocessing, whose threads do not keep a process from ending that is stuck in the model)
        self._passes = ThreadPool(passes, torch.set_num_threads, (1,))
        weakref.finalize(self, self._passes.terminate).atexit = False

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of texts: (n_texts, 384) float32, in their order, rows of unit length.

        A text is read as far as the model's input goes, 256 tokens for the default model.
        """
        if isinstance(texts, str):
            raise InvalidArgumentError(f"texts is the string {texts[:40]!r}.", "Pass a list of texts.")
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        batches = list(_batches(self._token_counts(texts), self.batch_tokens))
        passes = self._passes.map(
            lambda batch: _encode(self._model, [texts[position] for position in batch]), batches, chunksize=1
        )
        for batch, found in zip(batches, passes, strict=True):
            vectors[batch] = found
        return vectors

    def _token_counts(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        longest = self._model.max_seq_length
        with self._counting:
            tokens = self._tokenizer(list(texts), truncation=longest is not None, max_length=longest)
        return [len(ids) for ids in tokens["input_ids"]]


def _batches(token_counts: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """The positions of texts, longest first, in batches that padded to their longest hold so many tokens."""
    batch: list[int] = []
    for position in sorted(range(len(token_counts)), key=lambda position: -token_counts[position]):
        if batch and token_counts[batch[0]] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _encode(model: Any, texts: Sequence[str]) -> Embeddings:
    encoded = model.encode(
        list(texts), batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False
    )
    vectors = np.asarray(encoded.float().cpu().numpy(), np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
    return np.asarray(vectors / lengths, np.float32)


def _is_faster_in_bfloat16(model: Any) -> bool:
    reduced = copy.deepcopy(model).bfloat16()
    vectors, seconds = _timed(model)
    reduced_vectors, reduced_seconds = _timed(reduced)
    is_alike = bool((np.einsum("ij,ij->i", vectors, reduced_vectors) >= _LEAST_COSINE).all())
    return is_alike and reduced_seconds * _LEAST_GAIN < seconds


def _timed(model: Any) -> tuple[Embeddings, float]:
    """The vectors of the probes, and the less of the seconds of two passes after a first."""
    vectors = _encode(model, _PROBES[:4])
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        vectors = _encode(model, _PROBES)
        seconds.append(time.perf_counter() - started)
    return vectors, min(seconds)


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
