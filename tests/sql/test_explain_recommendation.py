"""explain_recommendation: the terms of the hybrid score."""

import pytest
from psycopg.rows import namedtuple_row


def explain(connection, user_id, item_id):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(
        "select * from recsys_api.explain_recommendation(%s, %s)", (user_id, item_id)
    ).fetchall()


def test_each_row_is_a_past_item_with_its_weight_and_time(catalogue):
    history = {
        row.item_id: (row.weight, row.occurred_at)
        for row in catalogue.cursor(row_factory=namedtuple_row).execute(
            "select * from recsys_api._history(1)"
        )
    }
    rows = explain(catalogue, 1, 13)
    assert rows
    assert all((row.weight, row.occurred_at) == history[row.item_id] for row in rows)
    assert all(
        row.title == f"{'Drama' if row.item_id < 16 else 'Comedy'} {(row.item_id - 1) % 15 + 1}"
        for row in rows
    )


def test_a_contribution_is_the_graph_and_the_content_part_largest_first(catalogue):
    rows = explain(catalogue, 1, 8)
    assert all(row.contribution == pytest.approx(row.graph + row.content) for row in rows)
    contributions = [row.contribution for row in rows]
    assert contributions == sorted(contributions, reverse=True)


def test_the_graph_part_is_the_weight_times_the_edge(catalogue):
    (row,) = [row for row in explain(catalogue, 1, 13) if row.item_id == 11]
    (edge,) = catalogue.execute(
        "select weights[array_position(neighbor_ids, 13)] from recsys.item_neighbors where item_id = 11"
    ).fetchone()
    assert row.graph == pytest.approx(row.weight * edge)


def test_a_disliked_neighbor_speaks_against_the_item(catalogue):
    catalogue.execute("select recsys_api.record_interaction(1, 12, 'dislike')")
    against = {row.item_id: row.contribution for row in explain(catalogue, 1, 13)}
    assert against[12] < 0


@pytest.mark.parametrize("user_id", [30])
def test_without_a_history_nothing_contributes(catalogue, user_id):
    assert explain(catalogue, user_id, 8) == []


def test_nothing_of_the_history_speaks_of_an_item_that_only_has_a_text(catalogue):
    assert explain(catalogue, 1, 60) == []
