"""The report: one file, well-formed, with nothing to load and nothing to inject."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_pg.collaborative import TrainReport
from recsys_pg.evaluation import (
    Accuracy,
    Estimate,
    Evaluation,
    Exposure,
    MethodResult,
    SegmentResult,
    html_report,
)
from recsys_pg.evaluation.report.charts import Axis, apart
from recsys_pg.evaluation.results import Options, Sizes, Versions
from recsys_pg.evaluation.wording import summary

VOID = {"meta", "line", "circle", "polyline"}


def accuracy(k, value):
    return Accuracy(k, ndcg=value, recall=value, map=value, mrr=value, hit_rate=value)


def method(name, value, difference, diversity=0.5):
    return MethodResult(
        name,
        Estimate(value, value - 0.01, value + 0.01),
        difference,
        [accuracy(10, value), accuracy(20, 1.5 * value)],
        [value * k / 20 for k in range(1, 21)],
        Exposure(10, 0.3, 0.8, 5.5, diversity, 0.01),
        4.2,
    )


@pytest.fixture
def found():
    return Evaluation(
        datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        12.3,
        "shop",
        Options("time", 0.1, 2000, (10, 20), ("hybrid", "popular"), False, 4.0, 0),
        Versions("1.0", "18.1", "0.8.4"),
        Sizes(1000, 900, 500, 400, 12_345, 300, 300, 999),
        datetime(2026, 1, 1, tzinfo=UTC),
        TrainReport(7, True, "ease", 400, 1000, 12_000, 1000, (), None, {}, {}, None, 3.0, "EASE fits."),
        [method("hybrid", 0.2, None), method("popular", 0.1, Estimate(0.1, 0.05, 0.15))],
        [
            SegmentResult(
                "cold items", "new", 3, 4, {"hybrid": [accuracy(10, 0.05)], "popular": [accuracy(10, 0.0)]}
            )
        ],
        ["A note."],
    )


class Nesting(HTMLParser):
    """Follows the tags, and fails where one is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.attributes, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def parsed(page):
    parser = Nesting()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_loads_nothing(found):
    page = html_report(found)
    names = {name for name, _ in parsed(page).attributes}
    assert names.isdisjoint({"src", "href", "onload", "onclick"})
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)
    assert "default-src 'none'" in page


def test_it_tells_the_numbers_and_how_they_came_about(found):
    text = parsed(html_report(found)).text
    for expected in (
        "0.2000",
        "0.1900 to 0.2100",
        "+0.0500 to +0.1500",
        "better",
        "cold items",
        "A note.",
        "12,345 interactions",
        "2026-01-01 00:00",
        "recsys-pg evaluate --split time --test-share 0.1 --users 2000 -k 10 -k 20 --method hybrid"
        " --method popular --memory-gb 4 --seed 0",
        "PostgreSQL 18.1",
        "hybrid has 20.0% among the first 20 of 1,000 items",
        "popular has 10.0%",
    ):
        assert expected in text


def test_what_was_asked_live_is_told(found):
    live = replace(found, options=replace(found.options, split="live"))
    sizes = found.sizes
    assert (
        "remained to learn from. Then what was held out was recorded in its order, and"
        f" {sizes.asked_users:,} of {sizes.test_users:,} users were asked, each once, just before something"
        " they liked, which was drawn, with"
    ) in parsed(html_report(live)).text


def test_names_are_no_markup(found):
    page = html_report(replace(found, database="<script>alert(1)</script>", notes=["a & <b>"]))
    assert "<script" not in page
    assert "a & <b>" in parsed(page).text


def test_one_method_and_no_embeddings_are_no_trouble(found):
    alone = replace(
        found,
        methods=[method("popular", 0.0, None, diversity=None)],
        options=replace(found.options, methods=("popular",)),
        segments=[],
    )
    text = parsed(html_report(alone)).text
    assert "Comparison" not in text
    assert "Good lists of items that differ" not in text


@given(st.floats(0, 1e6))
def test_an_axis_reaches_the_largest_value_in_a_few_round_steps(largest):
    axis = Axis.up_to(largest, 10, 110)
    assert axis.last >= largest * (1 - 1e-6)
    assert 2 <= len(axis.marks()) <= 6
    assert axis.pixel(0) == 10
    assert axis.pixel(axis.last) == 110


@given(st.lists(st.floats(0, 100), max_size=6))
def test_labels_keep_apart_within_the_chart(wanted):
    placed = apart(wanted, 15, last=100)
    assert all(later - earlier >= 15 - 1e-9 for earlier, later in pairwise(sorted(placed)))
    assert all(place <= 100 for place in placed)
    # in the order of what they stand for
    assert all(a <= b for a, b in pairwise(place for _, place in sorted(zip(wanted, placed, strict=True))))


def test_the_summary_names_the_best_of_the_others(found):
    others = [method("content", 0.05, None), method("item_based", 0.15, None)]
    hybrid = "Of what 300 people went on to like, hybrid has 20.0% among the first 20 of 1,000 items"
    assert summary(replace(found, methods=[*found.methods, *others])) == (
        f"{hybrid}; the best of the others, item_based, has 15.0%; what is popular has 10.0%."
    )
    worse = method("user_based", 0.3, Estimate(-0.1, -0.15, -0.05))
    assert summary(replace(found, methods=[*found.methods, worse])).endswith(
        " By NDCG@10 it is behind user_based: see docs/evaluation.md."
    )
    one = replace(found, methods=[*found.methods[:1], others[0]])
    assert summary(one) == f"{hybrid}; content has 5.0%."
    assert summary(replace(found, methods=found.methods[:1])) == f"{hybrid}."
    with_best = replace(found, methods=[*found.methods, others[0]])
    assert summary(with_best) == f"{hybrid}; the best of the others, what is popular, has 10.0%."
