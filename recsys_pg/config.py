"""Settings, from RECSYS_PG_… variables or a .env file. The only module that reads the environment."""

from pathlib import Path

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
    worker_batch_size: int = Field(default=64, ge=1, le=10_000, description="Items a worker claims at once.")
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
