"""Learning from end to end, without a database."""

import numpy as np
import pytest

from recsys_pg.collaborative.candidates import CANDIDATES, fitting
from recsys_pg.collaborative.histories import histories
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.model import learn_model
from recsys_pg.collaborative.size import Size, size_of

GROUPS, OF_GROUP = 6, 12


def some_log(*, users: int = 150, ordered: bool = True, seed: int = 0) -> InteractionLog:
    """People of six tastes, each of whom goes through the dozen items of it, one after the other."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        start, length = random.integers(OF_GROUP), random.integers(3, 9)
        for time in range(length):
            item = (user % GROUPS) * OF_GROUP + (start + time) % OF_GROUP
            rows.append((user, item, 1, time if ordered else 0))
    return InteractionLog.of(*zip(*rows, strict=True))


def quiet(phase: str, done: int, total: int | None) -> None:
    pass


def test_it_recommends_what_follows():
    log = some_log()
    model = learn_model(log, progress=quiet)
    known = histories(log)
    scores = model.factors.scores(known)
    for user in range(0, known.n_users, 10):
        latest = int(known.items[known.users == user][0])
        following = latest // OF_GROUP * OF_GROUP + (latest + 1) % OF_GROUP
        seen = known.items[known.users == user]
        if following not in seen:
            assert (
                np.argmax(np.where(np.isin(np.arange(scores.shape[1]), seen), -np.inf, scores[user]))
                == following
            )


@pytest.mark.parametrize("ordered", [True, False])
def test_it_is_the_same_for_a_seed(ordered):
    first, second = (learn_model(some_log(ordered=ordered), seed=4, progress=quiet) for _ in range(2))
    assert first.mixture == second.mixture
    assert first.factors.targets.tolist() == second.factors.targets.tolist()
    for one, other in zip(first.factors.scales, second.factors.scales, strict=True):
        assert one.residual.data.tolist() == other.residual.data.tolist()


def test_without_an_order_nothing_is_learned_from_it():
    model = learn_model(some_log(ordered=False), progress=quiet)
    assert model.left_out["next_item_0.8"] == "the times do not tell what came after what"
    assert [scale.decay for scale in model.factors.scales] == [1.0]


def test_texts_help_where_they_tell_the_taste():
    log = some_log(users=12, seed=1)
    random = np.random.default_rng(2)
    tastes = random.normal(size=(GROUPS, 384))
    embeddings = tastes[log.item_ids // OF_GROUP] + random.normal(scale=0.1, size=(len(log.item_ids), 384))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    embeddings[3] = np.nan
    model = learn_model(log, embeddings, progress=quiet)
    assert model.mixture.alone["content"] > 0.3
    assert np.isfinite(model.factors.scores(histories(log))).all()


def test_without_texts_content_is_left_out():
    assert learn_model(some_log(), progress=quiet).left_out["content"] == "no item is embedded"


def test_what_does_not_fit_the_memory_is_left_out():
    size = Size(
        users=10_000,
        items=60_000,
        likes=450_000,
        interactions=500_000,
        pairs=20_000_000,
        embedded=60_000,
        is_ordered=True,
        fields=1850,
    )
    everything, some, nothing = (fitting(size, memory_gb) for memory_gb in (4, 1.4, 0.5))
    assert 0 < len(some.chosen) < len(everything.chosen)
    assert nothing.chosen == []
    for selection, memory_gb in ((everything, 4), (some, 1.4)):
        assert selection.peak_gb <= memory_gb
    left_out = [c.name for c in everything.chosen if c not in some.chosen]
    assert all("memory_gb is 1.4" in some.left_out[name] for name in left_out)
    # what is left goes to the residuals and to the content map
    assert 20 <= some.neighbors < everything.neighbors
    assert 5000 <= some.mapped < everything.mapped == 50_000


def test_a_million_items_are_learned_in_16_gb():
    size = Size(
        users=1_000_000,
        items=1_000_000,
        likes=9_500_000,
        interactions=10_000_000,
        pairs=100_000_000,
        embedded=1_000_000,
        is_ordered=True,
        fields=4000,
    )
    selection = fitting(size, 16)
    assert {"cooccurrence", "lowpass", "transitions"} <= {candidate.name for candidate in selection.chosen}
    assert selection.peak_gb <= 16


def test_every_candidate_is_learned_or_the_reason_is_given():
    selection = fitting(size_of(some_log(), None), 1)
    assert {c.name for c in selection.chosen} | set(selection.left_out) == {c.name for c in CANDIDATES}
    assert selection.left_out["transitions"] == "next_item fits"


def test_where_nothing_can_be_said_of_what_is_unseen_there_is_no_sum():
    log = InteractionLog.of([1, 1, 2, 2], [5, 6, 5, 6], [1, 1, 1, 1], [0, 1, 0, 1])
    assert learn_model(log, progress=quiet) is None


def test_rounding_is_not_taken_for_a_score():
    """Everybody has seen all that their items are connected to, and comes back to the first."""
    rows = [
        (user, user % 20 * 2 + item, 1, time) for user in range(60) for time, item in enumerate((0, 1, 0))
    ]
    model = learn_model(InteractionLog.of(*zip(*rows, strict=True)), progress=quiet)
    if model is not None:
        assert max(np.abs(scale.history).max() for scale in model.factors.scales) < 1000
