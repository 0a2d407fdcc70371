"""The embedded server and folders that are not, or no longer, its own."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from recsys_pg import embedded
from recsys_pg.errors import DatabaseUnavailableError, InvalidArgumentError


@pytest.fixture
def folder():
    # not below pytest's folder, which every pytest that starts closes to the server's own user
    folder = Path(tempfile.mkdtemp(prefix="recsys_pg_test_"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_with_other_files_is_refused_and_left_alone(folder):
    (folder / "letter.txt").write_text("dear")
    owner = folder.stat().st_uid
    with pytest.raises(InvalidArgumentError, match="is not empty and holds no PostgreSQL data"):
        embedded.start(folder)
    assert folder.stat().st_uid == owner
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("left", ["another process", "garbage", "nothing"])
def test_a_pid_file_left_by_a_crash_harms_nobody(folder, left):
    bystander = subprocess.Popen(["sleep", "60"])
    server = embedded.start(folder / "data", on_exit="delete")
    lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    server.stop()
    text = {"another process": "\n".join([str(bystander.pid), *lines[1:]]), "garbage": "x\n", "nothing": ""}
    (folder / "data" / "postmaster.pid").write_text(text[left])
    assert not embedded.is_running(folder / "data")
    server = embedded.start(folder / "data", on_exit="delete")
    with psycopg.connect(server.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert embedded.is_running(folder / "data")
    assert bystander.poll() is None
    server.stop()
    assert not embedded.is_running(folder / "data")
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_folder_that_cannot_be_made_is_one_clear_error():
    with pytest.raises(DatabaseUnavailableError, match="cannot use /proc/recsys"):
        embedded.start(Path("/proc/recsys/data"))
