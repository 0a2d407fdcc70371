"""Progress: bars in front of a terminal; in a log nothing of short work, lines of long work."""

import sys

import pytest

from recsys_pg.cli import progress as progress_module
from recsys_pg.cli.progress import progress_bars, waiting


def test_away_from_a_terminal_there_are_no_bars(capsys):
    with progress_bars() as progress, waiting("Loading"):
        progress("read", 0, None)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_every_phase_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bars() as progress:
        progress("read", 0, None)
        progress("read", 5, 10)
        progress("write", 1, 1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "read" in shown.err
    assert "5/10" in shown.err
    assert "write" in shown.err


@pytest.fixture
def clock(monkeypatch):
    moment = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: moment[0])
    return moment


def test_long_work_tells_its_phases_and_a_line_a_minute(clock, capsys):
    with progress_bars() as show:
        show("read", 0, None)
        clock[0] += 9
        show("learn", 0, 5)
        assert capsys.readouterr().err == ""
        clock[0] += 2
        show("learn", 1, 5)
        clock[0] += 59
        show("learn", 2, 5)
        clock[0] += 2
        show("learn", 1_000, 5_000)
        show("write", 0, None)
        show("write", 0, None)
    assert capsys.readouterr().err.splitlines() == [
        "    11 s  learn 1 of 5",
        "    72 s  learn 1,000 of 5,000",
        "    72 s  write",
    ]
