"""All checks in order."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.cli import errors
from recsys_pg.cli.checks import copies, data, filters, model, recall, schema, search_indexes, server, updates
from recsys_pg.cli.checks.check import Check, Finding
from recsys_pg.errors import RecsysError

_SERVER: Mapping[str, Check] = {
    "connection": server.connection,
    "postgresql": server.postgresql,
    "pgvector": server.pgvector,
    "memory": server.memory,
    "transactions": server.transactions,
}
_SCHEMA: Mapping[str, Check] = {"schema": schema.complete}
_CONTENT: Mapping[str, Check] = {
    "indexes": schema.indexes,
    "search indexes": search_indexes.search_indexes,
    "vector index": search_indexes.vector_index,
    "copies": copies.copies,
    "updates": updates.updates,
    "recall": recall.recall,
    "roles": schema.roles,
    "row-level security": filters.row_security,
    "statistics": schema.statistics,
    "rules": filters.rules,
    "queue": data.queue,
    "tastes": data.tastes,
    "model switch": data.model_switch,
    "failed items": data.failed_items,
    "items without vector": data.items_without_vector,
    "trained model": data.trained_model,
    "embedding model": model.embedding_model,
}


def run_checks(engine: sa.Engine) -> Iterator[tuple[str, Finding]]:
    """Pairs of the name of a check and what it found; checks that need what is missing are left out."""
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        explained = errors.explained(error)
        yield "connection", Finding("fail", explained.message, explained.hint)
        return
    with connection:
        for group in (_SERVER, _SCHEMA, _CONTENT):
            usable = True
            for name, check in group.items():
                for finding in _findings(check, connection):
                    usable = usable and finding.level != "fail"
                    yield name, finding
            if not usable:
                return


def _findings(check: Check, connection: sa.Connection) -> Iterator[Finding]:
    try:
        yield from check(connection)
    except (DBAPIError, RecsysError) as error:
        # a role with few rights still learns the rest
        explained = errors.explained(error)
        yield Finding("warn", f"Not checked: {explained.message}", explained.hint)
