"""export-user and forget-user: what is printed, what is asked, what is left."""

import io
import sys

import pytest

from recsys_pg import db
from recsys_pg.cli.checkpoint_folder import default_checkpoint_dir

USER = 1


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Where checkpoints lie."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def engine(own_shop):
    engine = db.create_engine(own_shop)
    yield engine
    engine.dispose()


def known(cli, url):
    return cli("export-user", str(USER), "--database-url", url)


def test_all_is_exported_then_erased_and_what_a_training_kept(cli, own_shop, engine):
    kept = known(cli, own_shop).json
    assert (kept["id"], len(kept["interactions"]) > 0) == (USER, True)
    folder = default_checkpoint_dir(engine)
    (folder / "recsys_pg-abc-held_out-1.npz").write_bytes(b"who liked what")
    (folder / "recsys_pg-start.json").write_text("{}")
    done = cli("forget-user", str(USER), "--yes", "--json", "--database-url", own_shop)
    assert done.json == {
        "user_id": USER,
        "removed": {
            "recsys.impressions": 0,
            "recsys.taste_changes": len(kept["interactions"]),
            "recsys.interactions": len(kept["interactions"]),
            "recsys.users": 1,
        },
        "checkpoints_removed": 2,
    }
    assert not list(folder.glob("*"))
    assert "does not exist" in known(cli, own_shop).error()
    again = cli("forget-user", str(USER), "--yes", "--database-url", own_shop)
    assert (again.code, "does not exist" in again.error()) == (1, True)


@pytest.mark.parametrize(("options", "is_vacuumed"), [([], True), (["--no-vacuum"], False)])
def test_dead_rows_and_the_vector_index_are_cleaned(cli, own_shop, engine, options, is_vacuumed):
    done = cli("forget-user", str(USER), "--yes", *options, "--database-url", own_shop)
    assert f"User {USER} is forgotten here" in done.out
    with engine.connect() as connection:
        vacuumed = connection.exec_driver_sql(
            "select relname::text from pg_stat_user_tables"
            " where relname in ('users', 'interactions', 'impressions') and last_vacuum is not null"
        ).scalars()
        assert set(vacuumed) == ({"users", "interactions", "impressions"} if is_vacuumed else set())


def test_without_a_terminal_it_wants_the_option_and_erases_nothing(cli, own_shop):
    refused = cli("forget-user", str(USER), "--database-url", own_shop)
    assert (refused.code, "--yes" in refused.error()) == (2, True)
    assert known(cli, own_shop).json["id"] == USER


class Terminal(io.StringIO):
    """Somebody who types an answer."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_at_a_terminal_it_asks(cli, own_shop, monkeypatch, answer, code):
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    done = cli("forget-user", str(USER), "--database-url", own_shop)
    assert f"Erase user {USER} and all that is kept about the person, for good?" in done.out + done.err
    assert done.code == code
    assert (known(cli, own_shop).code == 0) == (answer == "n")
