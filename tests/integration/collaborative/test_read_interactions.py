"""The matrix that is learned from against the history that recommendations are computed from."""

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys_pg.collaborative import copying
from recsys_pg.collaborative.histories import histories
from recsys_pg.collaborative.log import read_interactions

KINDS = st.one_of(
    st.tuples(st.sampled_from(["view", "click", "cart", "purchase", "like", "dislike", "hide"]), st.none()),
    st.tuples(st.just("rating"), st.one_of(st.none(), st.integers(0, 5).map(float))),
)
LOG = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5), KINDS), max_size=40)


def read(engine: sa.Engine) -> dict[tuple[int, int], float]:
    with engine.connect() as connection:
        log = read_interactions(connection)
    rows, columns = log.likes.nonzero()
    return {
        (int(log.user_ids[row]), int(log.item_ids[column])): float(log.likes[row, column])
        for row, column in zip(rows, columns, strict=True)
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LOG)
def test_weights_are_the_positive_ones_of_the_users_histories(engine, shop, log):
    shop.sql("truncate recsys.users, recsys.items cascade")
    shop.add(4, 5)
    shop.record((user, item, kind, value) for user, item, (kind, value) in log)
    histories = shop.sql(
        "select u.id as user_id, h.item_id, h.weight from recsys.users u"
        " cross join lateral recsys_api._history(u.id) h where h.weight > 1e-6"
    )
    assert read(engine) == pytest.approx({(row.user_id, row.item_id): row.weight for row in histories})


def test_all_interactions_count_not_only_the_latest(engine, shop):
    shop.sql("update recsys.settings set value = '2' where key = 'history.length'")
    shop.add(1, 6)
    shop.record((1, item, "like", None) for item in range(1, 7))
    assert set(read(engine)) == {(1, item) for item in range(1, 7)}


@pytest.mark.parametrize("batch", [1, 4, 5, 20])
def test_the_size_of_the_batches_does_not_matter(engine, shop, monkeypatch, batch):
    monkeypatch.setattr(copying, "_BATCH", batch * 50)
    shop.add(4, 5)
    shop.record((user, item, "cart", None) for user in range(1, 5) for item in range(1, 6))
    seen = []
    with engine.connect() as connection:
        log = read_interactions(connection, lambda *step: seen.append(step))
    assert np.array_equal(log.likes.toarray(), np.full((4, 5), 0.5))
    assert log.user_ids.tolist() == [1, 2, 3, 4]
    assert log.item_ids.tolist() == [1, 2, 3, 4, 5]
    assert seen[-1] == ("read interactions", 20, 20)


def test_histories_are_as_long_as_the_setting_says(engine, shop):
    shop.add(1, 6)
    shop.record((1, item, "like", None) for item in range(1, 7))
    shop.sql("update recsys.settings set value = '4' where key = 'history.length'")
    with engine.connect() as connection:
        log = read_interactions(connection)
    assert log.history_length == 4
    assert log.item_ids[histories(log.liked_only()).items].tolist() == [6, 5, 4, 3]


def test_no_interactions_give_an_empty_matrix(engine):
    with engine.connect() as connection:
        log = read_interactions(connection)
    assert log.likes.shape == (0, 0)
    assert len(log.user_ids) == len(log.item_ids) == 0


def test_ids_of_64_bits_come_through(engine, shop):
    huge = 2**62
    shop.sql(f"insert into recsys.users (id) values ({huge})")
    shop.sql(f"insert into recsys.items (id, title) values ({huge}, 'x')")
    shop.record([(huge, huge, "purchase", None)])
    assert read(engine) == {(huge, huge): 1.0}
