"""Which models the vectors in the database belong to, so that no worker mixes others among them.

Searches use those of the active model; those of the standby model are kept beside, for a switch.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import sqlalchemy as sa

from recsys_pg.embedding.embedder import TextEmbedder
from recsys_pg.embedding.transactions import transact
from recsys_pg.errors import ModelError

_ACTIVE = "select id, name, revision from recsys.models where purpose = 'embedding' and is_active"
_STANDBY = "select id, name, revision from recsys.models where purpose = 'embedding' and is_standby"

_ACTIVATE = """
insert into recsys.models (purpose, name, revision, is_active) values ('embedding', :name, :revision, true)
on conflict (name, revision) where purpose = 'embedding' do update set is_active = true
returning id
"""

_COPY_JOBS = """
insert into recsys.embedding_jobs (item_id, model_id)
select item_id, :new from recsys.embedding_jobs where model_id = :old
on conflict (item_id, model_id) do nothing
"""


@dataclass(frozen=True)
class KnownModel:
    """An embedding model of the database, and whether searches use its vectors or they are kept beside."""

    id: int
    is_active: bool


def require_model(engine: sa.Engine, embedder: TextEmbedder) -> KnownModel:
    """The active or the standby model, which is the embedder's.

    Raises:
        ModelError: it is neither.
    """
    known = transact(engine, partial(_known, embedder=embedder))
    if known is None:
        _refuse(transact(engine, _active), embedder)
    return known


def adopt_model(engine: sa.Engine, embedder: TextEmbedder) -> KnownModel:
    """The same; or the embedder's model becomes the active one.

    It takes the place of another one while no item has a vector; the waiting jobs become its own.

    Raises:
        ModelError: the database holds vectors of another model.
    """
    known = transact(engine, partial(_known, embedder=embedder))
    return known or KnownModel(transact(engine, partial(_replace, embedder=embedder)), is_active=True)


def _known(connection: sa.Connection, embedder: TextEmbedder) -> KnownModel | None:
    for statement, is_active in ((_ACTIVE, True), (_STANDBY, False)):
        model: Any = connection.execute(sa.text(statement)).one_or_none()
        if _is_model(model, embedder):
            return KnownModel(int(model.id), is_active)
    return None


def _replace(connection: sa.Connection, embedder: TextEmbedder) -> int:
    # waits for the workers that write vectors, who hold this row in key share, and keeps others out;
    # the second look is for a row that another worker made active during the wait
    active = _active(connection, lock=" for update") or _active(connection, lock=" for update")
    if _is_model(active, embedder):
        return int(active.id)
    if connection.scalar(sa.text("select exists (select from recsys.items where embedding is not null)")):
        _refuse(active, embedder)
    old = {"old": active.id if active else None}
    connection.execute(sa.text("update recsys.models set is_active = false where id = :old"), old)
    identity = {"name": embedder.name, "revision": embedder.revision}
    new = int(connection.execute(sa.text(_ACTIVATE), identity).scalar_one())
    connection.execute(sa.text(_COPY_JOBS), old | {"new": new})
    connection.execute(sa.text("delete from recsys.embedding_jobs where model_id = :old"), old)
    return new


def _active(connection: sa.Connection, lock: str = "") -> Any:
    return connection.execute(sa.text(_ACTIVE + lock)).one_or_none()


def _is_model(active: Any, embedder: TextEmbedder) -> bool:
    return active is not None and (active.name, active.revision) == (embedder.name, embedder.revision)


def _refuse(active: Any, embedder: TextEmbedder) -> NoReturn:
    loaded = f"the loaded model is {embedder.name} ({embedder.revision})"
    if active is None:
        raise ModelError(f"The database has no active embedding model; {loaded}.", "Run: recsys-pg migrate.")
    raise ModelError(
        f"The vectors in the database belong to {active.name} ({active.revision}); {loaded}.",
        f"Load the database's model: set RECSYS_PG_EMBEDDING_MODEL to {active.name}, or to its folder."
        f" To change the database's: recsys-pg model switch {embedder.name}.",
    )
