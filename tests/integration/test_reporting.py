"""Reports gives what the views of recsys_report say."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import db, errors
from recsys_pg.reporting import ActiveModel, CatalogueCoverage, EmbeddingStatus, FailedEmbedding, Reports

CATALOGUE = Path(__file__).resolve().parents[1] / "sql" / "catalogue.sql"


@pytest.fixture
def session(shared_session: Session) -> Session:
    return shared_session


@pytest.fixture
def reports(session: Session) -> Reports:
    session.connection().exec_driver_sql(CATALOGUE.read_text().replace("%", "%%"))
    return Reports(session)


def test_embedding_status_lists_the_active_model_first(reports, session):
    session.execute(
        sa.text("insert into recsys.models (purpose, name, revision) values ('embedding', 'a-model', '1')")
    )
    active, other = reports.embedding_status()
    assert isinstance(active, EmbeddingStatus)
    assert (active.is_active, active.embedded, active.pending, active.failed) == (True, 58, 2, 0)
    assert active.oldest_pending_seconds == 0.0
    assert other == EmbeddingStatus("a-model", False, 0, 0, 0, None, None, False)


def test_catalogue_coverage(reports):
    assert reports.catalogue_coverage() == CatalogueCoverage(60, 58, 57, 48, 1)


def test_active_models(reports):
    embedding, neighbors = sorted(reports.active_models(), key=lambda row: row.purpose, reverse=True)
    assert isinstance(embedding, ActiveModel)
    assert (embedding.purpose, embedding.name) == ("embedding", "sentence-transformers/all-MiniLM-L6-v2")
    assert (neighbors.purpose, neighbors.name, neighbors.revision) == ("collaborative", "by hand", "1")
    assert neighbors.created_at.tzinfo is not None


def test_failed_embeddings_come_latest_first_up_to_the_limit(reports, session):
    assert reports.failed_embeddings() == []
    session.execute(
        sa.text(
            "update recsys.embedding_jobs set attempts = 5, last_error = 'error ' || item_id,"
            " failed_at = now() + item_id * interval '1 second'"
        )
    )
    latest, older = reports.failed_embeddings()
    assert isinstance(latest, FailedEmbedding)
    assert (latest.item_id, latest.external_id, latest.title) == (60, "film-60", "Science 15")
    assert (latest.attempts, latest.last_error) == (5, "error 60")
    assert older.item_id == 58
    assert reports.failed_embeddings(limit=1) == [latest]


def test_a_database_that_was_not_migrated_is_named(create_database):
    engine = db.create_engine(create_database(), poolclass=sa.NullPool)
    with (
        Session(engine) as session,
        pytest.raises(errors.SchemaNotReadyError, match="Run: recsys-pg migrate"),
    ):
        Reports(session).catalogue_coverage()
