"""A training that is killed, and the next one that goes on where it was."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys_pg.collaborative import checkpoints, train
from recsys_pg.collaborative.checkpoints import Checkpoints, digest
from recsys_pg.collaborative.operators.operator import Operator
from recsys_pg.collaborative.packing import OPERATOR

SCRIPT = """
import os, signal, sys
from pathlib import Path
from recsys_pg import db
from recsys_pg.collaborative import checkpoints, train

checkpoints.WORTH_SECONDS = 0
url, directory, killed_in = sys.argv[1:]

def progress(phase, done, total):
    if phase == killed_in:
        os.kill(os.getpid(), signal.SIGKILL)

report = train(db.create_engine(url), checkpoint_dir=Path(directory), progress=progress)
print(",".join(report.resumed))
"""

LOCKS = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
where d.datname = current_database() and l.locktype = 'advisory'
"""

PHASES = {
    "learn ials": 3,
    "compare operators": 3,
    "scale scores": 2,
    "write residuals 1": 3,
    "index factors": 3,
    "refresh popularity": 0,
}
"""The results, at least, that the next training finds of one that was killed in a phase."""


def run(url: str, directory: Path, killed_in: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, str(directory), killed_in],
        capture_output=True,
        text=True,
        check=False,
    )
    # a busy server notices only after a while that somebody was killed
    deadline = time.monotonic() + 60
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(LOCKS).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return done


def fingerprint(shop) -> dict[str, str]:
    """Of all that is stored of the active model."""
    [[model_id]] = shop.sql("select id from recsys.models where purpose = 'collaborative' and is_active")
    found = {}
    for table, columns, key in (
        ("item_factors", "item_id, target, history, is_learned", "item_id"),
        ("item_residuals", "item_id, scale, neighbor_ids, weights", "item_id, scale"),
        ("item_neighbors", "item_id, neighbor_ids, weights", "item_id"),
    ):
        rows = shop.sql(
            f"select {columns} from recsys.{table} where model_id = :id order by {key}", id=model_id
        )
        assert rows
        found[table] = hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()
    return found


@pytest.fixture(scope="module")
def uninterrupted() -> dict:
    """The fingerprint of the model of a training that nobody disturbed; filled by the first test."""
    return {}


@pytest.mark.parametrize("phase", PHASES)
def test_after_a_kill_the_next_training_ends_with_the_same_model(url, shop, tmp_path, phase, uninterrupted):
    shop.fill()
    if not uninterrupted:
        assert run(url, tmp_path / "other").returncode == 0
        uninterrupted.update(fingerprint(shop))
        shop.sql("update recsys.models set is_active = false where purpose = 'collaborative'")
    killed = run(url, tmp_path / "checkpoints", phase)
    assert killed.returncode == -9, killed.stderr
    assert any(shop.models().values()) == (phase == "refresh popularity")
    done = run(url, tmp_path / "checkpoints")
    assert done.returncode == 0, done.stderr
    assert len([name for name in done.stdout.strip().split(",") if name]) >= PHASES[phase]
    assert fingerprint(shop) == uninterrupted
    assert not (tmp_path / "checkpoints").exists()
    # the tables that the killed one had half written are gone
    tables = shop.sql(
        "select substring(relname from '[0-9]+$')::bigint as id from pg_class"
        " where relname ~ '^item_(factors|residuals)_[0-9]+$'"
    )
    assert {table.id for table in tables} <= set(shop.models())


def test_a_training_goes_on_with_what_there_was_when_it_began(engine, url, shop, tmp_path):
    shop.fill()
    run(url, tmp_path, "factorize")
    shop.record([(1, 20, "like", None), (2, 1, "like", None)])
    resumed = run(url, tmp_path)
    assert "choice of the sum" in resumed.stdout
    [[interactions]] = shop.sql(
        "select metrics ->> 'interactions' from recsys.models where purpose = 'collaborative' and is_active"
    )
    assert interactions == "300"


def test_what_was_learned_from_interactions_that_are_gone_is_not_used(engine, url, shop, tmp_path):
    shop.fill()
    run(url, tmp_path, "factorize")
    assert list(tmp_path.glob("*.npz"))
    shop.sql("delete from recsys.interactions where user_id = 7")
    assert run(url, tmp_path).stdout.strip() == ""


def test_another_seed_does_not_use_it(engine, url, shop, tmp_path, monkeypatch):
    shop.fill()
    run(url, tmp_path, "factorize")
    monkeypatch.setattr(checkpoints, "WORTH_SECONDS", 0)
    assert train(engine, seed=5, checkpoint_dir=tmp_path).resumed == ()


def test_after_a_day_it_is_too_old(engine, url, shop, tmp_path, monkeypatch):
    shop.fill()
    run(url, tmp_path, "factorize")
    now = checkpoints.time.time()
    monkeypatch.setattr(checkpoints.time, "time", lambda: now + 25 * 3600)
    shop.record([(1, 20, "like", None)])
    assert train(engine, checkpoint_dir=tmp_path).resumed == ()


def some_operator() -> Operator:
    return Operator(np.ones((3, 2), np.float32), np.zeros((3, 2), np.float32))


def kept(directory: Path, monkeypatch) -> Checkpoints:
    monkeypatch.setattr(checkpoints, "WORTH_SECONDS", 0)
    found = Checkpoints(directory)
    found.begin("origin", 1)
    found.kept("stage", "name", (), OPERATOR, some_operator)
    return found


def test_a_file_that_is_cut_short_is_made_anew(tmp_path, monkeypatch):
    kept(tmp_path, monkeypatch)
    [file] = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    again = kept(tmp_path, monkeypatch)
    assert again.resumed == []
    assert kept(tmp_path, monkeypatch).resumed == ["name"]


def test_files_of_others_stay(tmp_path, monkeypatch):
    (tmp_path / "mine.npz").write_bytes(b"x")
    (tmp_path / "mine.part").write_bytes(b"x")
    found = kept(tmp_path, monkeypatch)
    found.clear()
    assert {file.name for file in tmp_path.iterdir()} == {"mine.npz", "mine.part"}


def test_what_would_fill_the_disk_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_SHARE_OF_DISK", 0.0)
    kept(tmp_path, monkeypatch)
    assert list(tmp_path.glob("*.npz")) == []


def test_a_folder_that_cannot_be_used_is_named(engine, shop, tmp_path):
    shop.fill()
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(checkpoints.InvalidArgumentError, match=r"checkpoint.*file.*--checkpoint-dir"):
        train(engine, checkpoint_dir=file)


def test_digests_differ_where_anything_differs():
    values = [
        (1, 2),
        (1, "2"),
        ([1, 2],),
        (np.array([1, 2]),),
        (np.array([1, 2], np.int32),),
        (np.array([[1, 2]]),),
        (None,),
        ("a", "b"),
        ("ab",),
    ]
    assert len({digest(*value) for value in values}) == len(values)
    assert digest(np.arange(3), "x") == digest(np.arange(3), "x")
