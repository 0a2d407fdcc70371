"""Settings, from RECSYS_PG_… variables or a .env file. The only module that reads the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys_pg.errors import InvalidArgumentError

DIMENSIONS = 384
"""Length of every vector in the database."""

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class Settings(BaseSettings):
    """What a deployment sets. Every field is the variable RECSYS_PG_<FIELD>."""

    model_config = SettingsConfigDict(
        env_prefix="RECSYS_PG_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    database_url: str | None = Field(
        default=None,
        description="Database, as a URL or as libpq keywords. Unset: the embedded PostgreSQL.",
    )
    embedded_dir: Path | None = Field(
        default=None, description="Data directory of the embedded PostgreSQL. Unset: the user's data folder."
    )
    embedded_postgres_version: int = Field(
        default=18, description="Major version of the embedded PostgreSQL."
    )
    embedding_model: str = Field(
        default=DEFAULT_MODEL, description="Name or folder of the sentence-transformers model."
    )
    embedding_threads: int | None = Field(
        default=None, ge=1, description="CPU threads of the model. Unset: as many as the container may use."
    )
    embedding_precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="What a worker's model computes in; auto: the faster, where as good."
    )
    embedding_batch_tokens: int | None = Field(
        default=None, ge=1, description="Tokens in one pass of the model. Unset: 1024, on a GPU 65536."
    )
    embedding_cached_texts: int = Field(
        default=10_000, ge=0, description="Texts whose vectors a worker remembers, 1.7 KB each; 0: none."
    )
    worker_batch_size: int = Field(default=256, ge=1, le=10_000, description="Items a worker claims at once.")
    worker_concurrency: int = Field(
        default=2, ge=1, le=64, description="Batches that a worker has in work at a time."
    )
    worker_metrics_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port of the worker's metrics and health. Unset: none."
    )
    worker_lease_seconds: float = Field(
        default=300.0, ge=1, description="Seconds after which another worker may take over a claimed job."
    )
    worker_max_attempts: int = Field(
        default=5, ge=1, description="Attempts before a job becomes a dead letter."
    )
    worker_poll_seconds: float = Field(
        default=2.0, gt=0, description="Seconds between looks at an empty queue."
    )

    def required_database_url(self) -> str:
        """The database URL.

        Raises:
            InvalidArgumentError: none is set.
        """
        if not self.database_url:
            raise InvalidArgumentError(
                "RECSYS_PG_DATABASE_URL is not set.",
                "Set it, for example to postgresql://user@localhost/shop, or to what"
                " recsys-pg server url says.",
            )
        return self.database_url
