"""What a learned model gives as the reason of a row, and what dislikes do."""

import pytest

from recsys_pg.collaborative.partitions import attach_partitions, create_partitions, index_partitions

VIEWER = 30
"""Somebody new to the catalogue, who looks at the first item here."""


@pytest.fixture
def learned(catalogue):
    """A model by which each of items 1 to 4 goes with itself and, less so, with the next ones; 4 is new.

    Item 5 goes with none of them: who likes one of them does not like it.
    """
    catalogue.execute("update recsys.models set is_active = false where purpose = 'collaborative'")
    (model,) = catalogue.execute(
        "insert into recsys.models (purpose, name, revision, decays, is_active)"
        " values ('collaborative', 'by hand', '1', '{1}', true) returning id"
    ).fetchone()
    create_partitions(catalogue, model)
    for item in range(1, 6):
        target = [1 / item if item < 5 else -0.5, 0.1 * item, *[0.0] * 382]
        catalogue.execute(
            f"insert into recsys.item_factors_{model} (model_id, item_id, target, history, is_learned)"
            " values (%s, %s, %s::real[]::vector::halfvec, array[%s::real[]::vector::halfvec], %s)",
            (model, item, target, [1.0, *[0.0] * 383], item != 4),
        )
    index_partitions(catalogue, model)
    attach_partitions(catalogue, model)
    return catalogue


def reasons(connection, call):
    return dict(connection.execute(f"select item_id, reason from recsys_api.{call}").fetchall())


def test_what_somebody_looked_at_is_from_his_own_history(learned):
    learned.execute("select recsys_api.record_interaction(%s, 1, 'view')", (VIEWER,))
    found = reasons(learned, f"recommend_for_user({VIEWER}, 60)")
    assert found[1] == "from your own history"
    assert found[2] == 'liked by people who liked "Drama 1"'
    # nobody has liked what is new
    assert found[4] == 'similar to "Drama 1"'


def test_what_is_new_is_similar_and_not_liked_by_anybody(learned):
    found = reasons(learned, "similar_items(1, 60)")
    assert found[3] == 'liked by people who liked "Drama 1"'
    assert found[4] == 'similar to "Drama 1"'
    assert 1 not in found
    # nobody has liked what is new, and nothing is liked by those who did
    assert reasons(learned, "similar_items(4, 60)")[3] == 'similar to "Drama 4"'


def scores(connection):
    """By item, of all that may be shown; each the sum of its explanation."""
    found = dict(
        connection.execute(
            f"select item_id, score from recsys_api.recommend_for_user({VIEWER}, 60)"
        ).fetchall()
    )
    for item, score in found.items():
        (explained,) = connection.execute(
            f"select coalesce(sum(contribution), 0) from recsys_api.explain_recommendation({VIEWER}, %s)",
            (item,),
        ).fetchone()
        assert explained == pytest.approx(score, abs=1e-5)
    return found


def test_a_dislike_speaks_for_nothing(learned):
    learned.execute("select recsys_api.record_interaction(%s, 1, 'dislike')", (VIEWER,))
    found = scores(learned)
    assert 1 not in found
    # by the sum alone, what does not go with the disliked item would be liked
    assert found[5] == 0
    assert found[2] == pytest.approx(-0.5, abs=1e-3)
    assert list(found)[-3:] == [4, 3, 2]


def test_dislikes_count_against_what_is_liked(learned):
    learned.execute("select recsys_api.record_interaction(%s, 3, 'purchase')", (VIEWER,))
    liked = scores(learned)
    learned.execute("select recsys_api.record_interaction(%s, 1, 'dislike')", (VIEWER,))
    both = scores(learned)
    # by two weights of 1 each is divided by the root of 2
    assert liked[2] == pytest.approx(0.5, abs=1e-3)
    assert both[2] == pytest.approx(0, abs=1e-3)
    assert both[5] == pytest.approx(liked[5] / 2**0.5, abs=1e-3)
