"""Checks of the data: what waits, what failed, what was forgotten."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.cli.checks.check import Finding
from recsys_pg.reporting import Reports

_STALLED_SECONDS = 600
_MANY = 2000
"""Items below which no search takes long."""


def queue(connection: sa.Connection) -> Iterator[Finding]:
    """Somebody works on the queue of items to embed."""
    for model in Reports(Session(connection)).embedding_status():
        if not model.is_active:
            continue
        age = model.oldest_pending_seconds or 0
        if model.pending == 0:
            yield Finding("ok", "No item waits for its vector.")
        elif age > _STALLED_SECONDS:
            yield Finding(
                "warn",
                f"{model.pending:,} items wait for their vectors, the oldest for {age / 60:.0f} minutes.",
                "Run: recsys-pg worker; or more than one, on other machines.",
            )
        else:
            yield Finding(
                "info",
                f"{model.pending:,} items wait for their vectors.",
                "Run: recsys-pg worker, or recsys-pg worker --once.",
            )


def tastes(connection: sa.Connection) -> Iterator[Finding]:
    """The taste vectors of users follow what they did."""
    users, minutes = connection.execute(
        sa.text(
            "select count(distinct c.user_id), extract(epoch from now() - min(c.changed_at))::integer / 60"
            " from recsys.taste_changes c where c.changed_at < now() - make_interval("
            " secs => :stalled + 10 * recsys_api._setting('worker.taste_delay_seconds'))"
        ),
        {"stalled": _STALLED_SECONDS},
    ).one()
    if users:
        yield Finding(
            "warn",
            f"The tastes of {users:,} users wait to be computed anew, the oldest for {minutes} minutes; users"
            " with similar taste are found by these.",
            "Run: recsys-pg worker; recsys-pg train computes them all too.",
        )
    else:
        yield Finding("ok", "No user's taste waits for long.")


def model_switch(connection: sa.Connection) -> Iterator[Finding]:
    """No switch of the embedding model was left halfway, and nobody pays for a way back unknowingly."""
    found = {
        model.is_active: model
        for model in Reports(Session(connection)).embedding_status()
        if model.is_active or model.is_standby
    }
    standby, active = found.get(False), found.get(True)
    if standby is None:
        yield Finding("ok", "None has been begun.")
        return
    of_all = f" of {active.embedded:,}" if active else ""
    yield Finding(
        "info",
        f"{standby.model} is the standby model: {standby.embedded:,}{of_all} items have a vector of it, and"
        f" {standby.pending:,} wait.",
        f"Run: recsys-pg model switch {standby.model}, to switch to it; or recsys-pg model switch --finish,"
        " to give it up; until then keep a worker of that model.",
    )


def failed_items(connection: sa.Connection) -> Iterator[Finding]:
    """No item was given up."""
    reports = Reports(Session(connection))
    count = sum(model.failed for model in reports.embedding_status())
    if not count:
        yield Finding("ok", "None.")
        return
    latest = reports.failed_embeddings(1)[0]
    yield Finding(
        "warn",
        f"{count:,} items could not be embedded; the latest is {latest.item_id}: {latest.last_error}",
        "Look at recsys_report.failed_embeddings, then run: recsys-pg requeue.",
    )


def items_without_vector(connection: sa.Connection) -> Iterator[Finding]:
    """Every item with a text has a vector or waits for one."""
    count = connection.scalar(
        sa.text(
            "select count(*) from recsys.items i where i.embedding is null"
            " and recsys.item_content(i.title, i.description, i.category, i.tags) <> ''"
            " and not exists (select from recsys.embedding_jobs j where j.item_id = i.id)"
        )
    )
    if count:
        yield Finding(
            "warn",
            f"{count:,} items have a text but neither a vector nor a job.",
            "Run: insert into recsys.embedding_jobs (item_id, model_id) select i.id, m.id"
            " from recsys.items i, recsys.models m where i.embedding is null"
            " and m.purpose = 'embedding' and m.is_active on conflict do nothing.",
        )
    else:
        yield Finding("ok", "None, apart from those in the queue.")


def trained_model(connection: sa.Connection) -> Iterator[Finding]:
    """The interactions were learned from, and by this version."""
    trained, interactions, since = connection.execute(
        sa.text(
            "select m.created_at, (select count(*) from recsys.interactions),"
            " (select count(*) from recsys.interactions i where i.occurred_at > m.created_at)"
            " from (select max(created_at) as created_at from recsys.models"
            "       where purpose = 'collaborative' and is_active) m"
        )
    ).one()
    if trained is None and interactions == 0:
        yield Finding("info", "There are no interactions to learn from yet.")
    elif trained is None:
        yield Finding("warn", "None was trained: only content counts.", "Run: recsys-pg train.")
    elif since > interactions / 4:
        yield Finding(
            "warn",
            f"{since:,} of {interactions:,} interactions came after the training on {trained:%Y-%m-%d}.",
            "Run: recsys-pg train, and schedule it.",
        )
    else:
        yield Finding("ok", f"Trained on {trained:%Y-%m-%d}, {since:,} interactions since.")
    if connection.scalar(
        sa.text(
            "select exists (select from recsys.models where purpose = 'collaborative' and is_active"
            " and decays is not null and length_classes is null)"
            " and (select count(*) from (select from recsys.items limit :many) i) = :many"
        ),
        {"many": _MANY},
    ):
        yield Finding(
            "info",
            "The model is of an earlier version: recommendations with a filter take longer than they need.",
            "Run: recsys-pg train.",
        )
