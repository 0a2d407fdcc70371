"""What a learned model gives as the reason of a row."""

import pytest

from recsys_pg.collaborative.partitions import attach_partitions, create_partitions, index_partitions

VIEWER = 30
"""Somebody new to the catalogue, who looks at the first item here."""


@pytest.fixture
def learned(catalogue):
    """A model by which each of items 1 to 4 goes with itself and, less so, with the next ones; 4 is new."""
    catalogue.execute("update recsys.models set is_active = false where purpose = 'collaborative'")
    (model,) = catalogue.execute(
        "insert into recsys.models (purpose, name, revision, decays, is_active)"
        " values ('collaborative', 'by hand', '1', '{1}', true) returning id"
    ).fetchone()
    create_partitions(catalogue, model)
    for item in range(1, 5):
        target = [1 / item, 0.1 * item, *[0.0] * 382]
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
