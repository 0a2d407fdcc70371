"""Tables that fit the terminal, and JSON that programs can rely on."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from recsys_pg.cli import output
from recsys_pg.cli.output import Column, print_items, print_json, print_table
from recsys_pg.types import FoundItem, Recommendation, SimilarItem


@pytest.fixture
def terminal(monkeypatch):
    """Makes stdout a terminal of some width."""

    def make(width: int) -> None:
        monkeypatch.setattr(output, "console", lambda: output.Console(width=width, highlight=False))

    return make


def recommendation(rank: int, title: str, reason: str) -> Recommendation:
    return Recommendation(rank, rank, None, title, "Drama", Decimal("9.5"), True, 1.25, reason, None, "score")


@pytest.mark.parametrize("width", [80, 100])
def test_a_row_stays_one_line_however_long_its_title_and_reason_are(terminal, capsys, width):
    terminal(width)
    rows = [
        recommendation(1, "Long title " * 20, 'liked by people who liked "Short"'),
        recommendation(2, "Short", 'similar to "' + "long title " * 20 + '"'),
        recommendation(3, "日本語の題名 🎬" * 20, "popular"),
    ]
    print_items(rows)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(output.cell_len(line.rstrip()) <= width for line in lines)
    assert "9.50" in lines[1]
    assert "1.250" in lines[1]
    assert "liked with" in lines[1]
    assert lines[2].split()[2] == "Short"


def test_what_fits_is_not_cut(terminal, capsys):
    terminal(100)
    print_items([recommendation(1, "A title of thirty-five characters..", 'similar to "Ran"')])
    assert "…" not in capsys.readouterr().out


def test_in_a_pipe_nothing_is_cut(capsys):
    title = "Long title " * 40
    print_items([recommendation(1, title, "popular")])
    assert title.strip() in capsys.readouterr().out


def test_columns_that_say_nothing_are_left_out(capsys):
    print_items([FoundItem(1, 7, None, "Untold", None, None, True, 0.5)])
    assert capsys.readouterr().out.splitlines()[0].split() == ["#", "id", "title", "stock", "score"]


def test_a_list_of_similar_items_does_not_repeat_to_what(capsys):
    reason = 'liked by people who liked "Say "Hi""'
    print_items([SimilarItem(1, 7, None, "Next", None, None, False, 0.5, reason, 0.25)])
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split() == ["1", "7", "Next", "no", "0.500", "0.250", "liked", "with", "it"]


@pytest.mark.parametrize(
    ("price", "shown"),
    [("10", "10.00"), ("9.5000", "9.50"), ("0.125", "0.125"), ("1E+30", f"1{'0' * 30}.00")],
)
def test_a_price_is_shown_with_cents_and_never_rounded(capsys, price, shown):
    print_items([FoundItem(1, 1, None, "T", None, Decimal(price), True, 0)])
    assert shown in capsys.readouterr().out.split()


def test_control_characters_and_markup_do_not_reach_the_terminal(capsys):
    print_table([Column("title", ["[bold]a[/bold]\x1b[2J\nb"])])
    assert capsys.readouterr().out.splitlines()[1].rstrip() == "[bold]a[/bold] [2J b"


@dataclass(frozen=True)
class Report:
    """Something of every kind that commands print."""

    price: Decimal
    at: datetime
    path: Path
    parts: tuple[int, ...]


def test_json_has_numbers_for_decimals_and_iso_times(capsys):
    print_json([Report(Decimal("9.50"), datetime(2026, 5, 1, tzinfo=UTC), Path("/x"), (1, 2))])
    assert json.loads(capsys.readouterr().out) == [
        {"price": 9.5, "at": "2026-05-01T00:00:00+00:00", "path": "/x", "parts": [1, 2]}
    ]


def test_json_of_something_unknown_is_refused():
    with pytest.raises(TypeError, match="object"):
        print_json(object())


def test_where_not_even_the_narrowest_columns_fit_each_value_gets_a_line(terminal, capsys):
    terminal(40)
    print_table(
        [
            Column("index", ["items_embedding_1a2b3c4d_idx", "items_embedding_5e6f7a8b_idx"]),
            Column("rows", ["1,000", "25"], right=True),
            Column("items with", ["category " + "Drama" * 9, "tag new"], shrinks=True),
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "index       items_embedding_1a2b3c4d_idx",
        "rows        1,000",
        "items with  category " + "Drama" * 9,
        "",
        "index       items_embedding_5e6f7a8b_idx",
        "rows        25",
        "items with  tag new",
    ]
