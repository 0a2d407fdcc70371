"""The evaluation from end to end: hold out, train on the rest, ask, compare with what people did."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from recsys_pg import __version__, schema
from recsys_pg.collaborative import TrainReport, train
from recsys_pg.collaborative.items import read_embeddings
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation.asking import METHODS, Answers, ask_all
from recsys_pg.evaluation.known import Known, read_known
from recsys_pg.evaluation.live import ask_live, draw_moments
from recsys_pg.evaluation.measuring import method_results, segment_result
from recsys_pg.evaluation.results import Evaluation, Options, Sizes, Versions
from recsys_pg.evaluation.scratch import scratch_database, scratch_server
from recsys_pg.evaluation.split import Division, Split, divide
from recsys_pg.evaluation.targets import LEAST_USERS, Question, question, segments
from recsys_pg.evaluation.training_part import copy_parts
from recsys_pg.types import Method, Progress, unheard


def evaluate(
    engine: sa.Engine,
    *,
    split: Split = "time",
    test_share: float = 0.1,
    users: int = 2000,
    ks: Sequence[int] = (10, 20),
    methods: Sequence[Method] = METHODS,
    repeats: bool = False,
    server: str | None = None,
    memory_gb: float = 4.0,
    seed: int = 0,
    progress: Progress = unheard,
) -> Evaluation:
    """How well each method of ``recsys_api.recommend_for_user`` foretells what people went on to like.

    Copies the catalogue and the earlier interactions into a scratch database, trains there as `train` does,
    asks there for lists of all items, and looks for the later interactions in them. The database itself is
    read in one transaction and stays as it is; the scratch database is dropped, however the evaluation ends.

    Args:
        engine: of the database to evaluate.
        split: time tests on the latest interactions of all, and trains on what happened before; live does so
            too, and then lets the time go by: each user is asked at a moment of the test, when all that
            happened before is recorded, of which the model knows nothing. user tests on the latest of each
            user. See `recsys_pg.evaluation.split.divide`.
        test_share: of the positive interactions, above 0 and below 1.
        users: that are asked at most, 10 or more; drawn of those for whom there is something to find.
        ks: lengths of the lists, 1 to 1,000. Intervals, comparisons and exposure are those of the first.
        methods: names that recommend_for_user takes; compared with hybrid, or with the first of them.
        repeats: also ask for, and look for, what users had consumed before.
        server: the URL of a server for the scratch database, or "embedded"; left out, that of engine.
        memory_gb: that training may use.
        seed: of all that is drawn.
        progress: called in each step, with "copy …", the phases of training, and "recommend by …" or, live,
            "record and recommend".

    Raises:
        InvalidArgumentError: an argument is out of its range, or the interactions are too few or cannot be
            split.
        PermissionDeniedError, ReadOnlyDatabaseError: the server takes no scratch database.
        SchemaNotReadyError, UnsupportedDatabaseError, DatabaseUnavailableError: as their names say.
    """
    options = Options(
        split,
        test_share,
        users,
        tuple(dict.fromkeys(ks)),
        tuple(dict.fromkeys(methods)),
        repeats,
        memory_gb,
        seed,
    )
    _check(options)
    started_at, started = datetime.now(UTC), time.monotonic()
    with scratch_server(engine, server) as parameters, scratch_database(parameters) as scratch:
        part = _hold_out(engine, scratch, options, progress)
        with translated_errors(), scratch.connect() as connection:
            known = read_known(connection)
            versions = _versions(connection)
            # whom to ask is settled before the training, so that too few are told at once
            drawn: dict[str, Any] = {"users": users, "repeats": repeats, "seed": seed}
            ask = (
                partial(ask_live, scratch, draw_moments(connection, **drawn))
                if split == "live"
                else partial(ask_all, scratch, question(connection, **drawn))
            )
        training = train(scratch, memory_gb=memory_gb, seed=seed, progress=progress)
        heard = ask(options.methods, max(options.ks), exclude_seen=not repeats, progress=progress)
        embeddings = _embeddings(scratch, heard.answers.values(), options.ks[0])
    return Evaluation(
        started_at,
        time.monotonic() - started,
        part.database,
        options,
        versions,
        _sizes(known, heard.question),
        part.division.moment,
        training,
        method_results(heard.answers, heard.question.targets, known, embeddings, options.ks, seed=seed),
        [
            segment_result(heard.answers, each, options.ks)
            for each in segments(heard.question, known, heard.of_user or known.of_user, repeats=repeats)
        ],
        _notes(part.division, known, training),
    )


@dataclass(frozen=True)
class _Part:
    """Of which database, and how it was divided."""

    database: str
    division: Division


def _hold_out(engine: sa.Engine, scratch: sa.Engine, options: Options, progress: Progress) -> _Part:
    with _snapshot(engine) as connection:
        schema.require_schema(connection)
        source = driver_connection(connection)
        progress("divide interactions", 0, None)
        division = divide(source, options.split, options.test_share, seed=options.seed)
        progress("create the scratch database", 0, None)
        schema.migrate(scratch)
        copy_parts(source, scratch, division, progress)
        return _Part(source.info.dbname, division)


@contextmanager
def _snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that sees the same all the time, and can write nothing."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with translated_errors(), engine.connect().execution_options(**options) as connection:
        yield connection


def _embeddings(scratch: sa.Engine, answers: Iterable[Answers], k: int) -> dict[int, npt.NDArray[np.float32]]:
    """(384,) of each item among the first k of a list, where it has one."""
    shown = {item for each in answers for ranked in each.lists.values() for item in ranked[:k]}
    ids = np.array(sorted(shown), np.int64)
    with translated_errors(), scratch.connect() as connection:
        vectors = read_embeddings(connection, ids).astype(np.float32)
    return {
        item: vector for item, vector in zip(ids.tolist(), vectors, strict=True) if not np.isnan(vector[0])
    }


def _versions(connection: sa.Connection) -> Versions:
    postgres, pgvector = connection.execute(
        sa.text(
            "select current_setting('server_version'), extversion from pg_extension where extname = 'vector'"
        )
    ).one()
    return Versions(__version__, postgres, pgvector)


def _sizes(known: Known, asked: Question) -> Sizes:
    return Sizes(
        items=known.items,
        embedded_items=known.embedded_items,
        users=known.users,
        active_users=known.active_users,
        interactions=known.interactions,
        test_users=asked.all_users,
        asked_users=len(asked.targets),
        targets=sum(map(len, asked.targets.values())),
    )


def _notes(division: Division, known: Known, training: TrainReport) -> list[str]:
    notes = []
    if division.is_drawn:
        notes.append("Times tell no order here, so what is held out of each user was drawn.")
    if training.model_id is None:
        notes.append(f"Nothing was learned, so that hybrid and item_based lack it. {training.message}")
    if not known.embedded_items:
        notes.append("No item has an embedding, so content and user_based can only list what is popular.")
    return notes


def _check(options: Options) -> None:
    if options.split not in get_args(Split):
        raise InvalidArgumentError(f"split is {options.split!r}.", "Pass time, live or user.")
    if not 0 < options.test_share < 1:
        raise InvalidArgumentError(
            f"The test share is {options.test_share:g}, not between 0 and 1.", "0.1 is a good share."
        )
    if options.users < LEAST_USERS:
        raise InvalidArgumentError(
            f"users is {options.users}: of fewer than {LEAST_USERS} nothing can be said.",
            "The default is 2000.",
        )
    if options.seed < 0:
        raise InvalidArgumentError(f"The seed is {options.seed}, below 0.", "Pass 0 or more.")
    wrong = [k for k in options.ks if not 1 <= k <= 1000]
    if wrong or not options.ks:
        raise InvalidArgumentError(
            f"k is {', '.join(map(str, wrong)) or 'missing'}, not 1 to 1000.",
            "Pass lengths of lists, such as 10.",
        )
    unknown = [method for method in options.methods if method not in METHODS]
    if unknown or not options.methods:
        raise InvalidArgumentError(
            f"The method is {', '.join(map(repr, unknown)) or 'missing'}.",
            f"Pass some of {', '.join(METHODS)}.",
        )
