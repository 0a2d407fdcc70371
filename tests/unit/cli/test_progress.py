"""Progress is for whoever sits in front of the terminal, and for nobody else."""

import sys

from recsys_pg.cli.progress import progress_bars, waiting


def test_away_from_a_terminal_there_are_no_bars(capsys):
    with progress_bars() as progress, waiting("Loading"):
        assert progress is None
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
