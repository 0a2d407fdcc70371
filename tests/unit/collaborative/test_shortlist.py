"""Short lists: a ranking of them is a ranking of all, as far as it is looked at."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import ndcg_of_users
from recsys_pg.collaborative.shortlist import Shortlist

USERS, ITEMS = 20, 400


@pytest.fixture
def scores(random):
    return random.normal(size=(USERS, ITEMS)).astype(np.float32)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def marked(random, share):
    marks = random.random((USERS, ITEMS)) < share
    marks[:, 0] = True
    return marks


def test_a_short_list_ranks_like_all_items(random, scores):
    seen = marked(random, 0.3)
    wanted = marked(random, 0.02) & ~seen
    wanted[:, 1] = ~seen[:, 1]
    asked = wanted.any(axis=1)
    seen, wanted, scores = seen[asked], wanted[asked], scores[asked]
    shortlist = Shortlist.of([scores], wanted, seen=seen)
    of_all = ndcg_of_users(scores, csr_array(seen.astype(np.float32)), csr_array(wanted.astype(np.float32)))
    assert of_all.sum() > 0
    assert ndcg_of_users(shortlist.part_of(scores), *shortlist.sparse) == pytest.approx(of_all)


@pytest.mark.parametrize("chunk", [2, 3, 128])
@pytest.mark.parametrize("kind", ["different", "few values", "mostly zero", "mostly seen"])
def test_the_best_are_on_the_list(monkeypatch, random, scores, chunk, kind):
    monkeypatch.setattr("recsys_pg.collaborative.shortlist._CHUNK", chunk)
    seen = np.zeros((USERS, ITEMS), dtype=bool)
    if kind == "few values":
        scores = np.round(scores)
    elif kind == "mostly zero":
        scores = np.where(scores > 1.5, scores, 0).astype(np.float32)
    elif kind == "mostly seen":
        seen = random.random((USERS, ITEMS)) < 0.9
    before = scores.copy()
    shortlist = Shortlist.of([scores], np.zeros((USERS, ITEMS), dtype=bool), seen=seen)
    ranked = np.where(seen, -np.inf, scores)
    for row, items, closed in zip(ranked, shortlist.items, shortlist.closed, strict=True):
        listed = np.sort(row[items[~closed]])[::-1]
        possible = min(100, int(np.isfinite(row).sum()))
        assert listed.tolist() == np.sort(row)[::-1][:possible].tolist()
    assert (scores == before).all()


def test_what_moves_is_on_the_list_whatever_its_scores(random, scores):
    own, wanted = marked(random, 0.05), marked(random, 0.02)
    raised = scores + 5 * own.astype(np.float32)
    shortlist = Shortlist.of([scores], wanted, also=own)
    nothing = csr_array((USERS, ITEMS), dtype=np.float32)
    of_all = ndcg_of_users(raised, nothing, csr_array(wanted.astype(np.float32)))
    assert ndcg_of_users(shortlist.part_of(raised), *shortlist.sparse) == pytest.approx(of_all)


def test_rows_are_filled_up_with_what_is_closed(scores):
    wanted = np.zeros((USERS, ITEMS), dtype=bool)
    wanted[0, np.argsort(scores[0])[:50]] = True
    shortlist = Shortlist.of([scores], wanted)
    assert shortlist.items.shape == (USERS, 150)
    assert shortlist.closed.sum(axis=1).tolist() == [0] + [50] * (USERS - 1)
    assert shortlist.hits.sum() == 50


def test_scores_that_are_no_numbers_come_last(monkeypatch, random, scores):
    monkeypatch.setattr("recsys_pg.collaborative.shortlist._CHUNK", 2)
    scores[0] = np.nan
    scores[1, ::2] = np.nan
    shortlist = Shortlist.of([scores], marked(random, 0.02))
    assert (~shortlist.closed[0]).sum() >= 100
    listed = set(shortlist.items[2].tolist())
    assert set(np.argsort(-scores[2])[:100].tolist()) <= listed
