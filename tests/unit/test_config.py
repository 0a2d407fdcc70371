"""Settings: variables with the prefix RECSYS_PG_, a .env file, and what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from recsys_pg.config import DEFAULT_MODEL, Settings
from recsys_pg.errors import InvalidArgumentError


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and none of our variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RECSYS_PG_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting_the_defaults_hold():
    settings = Settings()
    assert settings.database_url is None
    assert settings.embedding_model == DEFAULT_MODEL
    assert settings.embedded_postgres_version == 18
    assert settings.worker_batch_size == 256


def test_each_field_is_a_variable_with_the_prefix(monkeypatch):
    values = {
        "DATABASE_URL": "postgresql://app@db/shop",
        "EMBEDDED_DIR": "/data/postgres",
        "EMBEDDED_POSTGRES_VERSION": "16",
        "EMBEDDING_MODEL": "intfloat/e5-small-v2",
        "EMBEDDING_THREADS": "3",
        "EMBEDDING_PRECISION": "float32",
        "EMBEDDING_BATCH_TOKENS": "512",
        "EMBEDDING_CACHED_TEXTS": "0",
        "WORKER_BATCH_SIZE": "8",
        "WORKER_CONCURRENCY": "1",
        "WORKER_METRICS_PORT": "9100",
        "WORKER_LEASE_SECONDS": "60.5",
        "WORKER_MAX_ATTEMPTS": "3",
        "WORKER_POLL_SECONDS": "0.5",
    }
    assert set(values) == {name.upper() for name in Settings.model_fields}
    for name, value in values.items():
        monkeypatch.setenv(f"RECSYS_PG_{name}", value)
    assert {name.upper(): str(value) for name, value in Settings()} == values


def test_a_dotenv_file_is_read_and_a_variable_wins(clean_environment, monkeypatch):
    (clean_environment / ".env").write_text(
        "RECSYS_PG_DATABASE_URL=postgresql://file/shop\nRECSYS_PG_WORKER_BATCH_SIZE=8\nOTHER=1\n"
    )
    monkeypatch.setenv("RECSYS_PG_WORKER_BATCH_SIZE", "16")
    settings = Settings()
    assert settings.required_database_url() == "postgresql://file/shop"
    assert settings.worker_batch_size == 16


@pytest.mark.parametrize("url", [None, ""])
def test_a_missing_database_url_is_named_by_its_variable(monkeypatch, url):
    if url is not None:
        monkeypatch.setenv("RECSYS_PG_DATABASE_URL", url)
    with pytest.raises(InvalidArgumentError, match=r"RECSYS_PG_DATABASE_URL is not set\. Set it"):
        Settings().required_database_url()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKER_BATCH_SIZE", "0"),
        ("WORKER_BATCH_SIZE", "many"),
        ("WORKER_CONCURRENCY", "0"),
        ("EMBEDDING_PRECISION", "int8"),
        ("WORKER_LEASE_SECONDS", "0"),
        ("WORKER_MAX_ATTEMPTS", "0"),
        ("WORKER_POLL_SECONDS", "0"),
        ("WORKER_POLL_SECONDS", "nan"),
        ("EMBEDDED_POSTGRES_VERSION", "latest"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(f"RECSYS_PG_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_every_field_says_what_it_is_for():
    assert all(field.description for field in Settings.model_fields.values())
