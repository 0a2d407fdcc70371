"""What `recsys-pg indexes` proposes from the filters that searches used."""

import pytest

from recsys_pg.indexes import IndexCondition, advise, build_for, listing, read_sample
from recsys_pg.types import ItemFilter


def search(session, filter, *, times=10, milliseconds=500.0, passing=None):
    """Sample searches with a filter; those that counted what passes were exact."""
    session.execute(
        f"select recsys_api._sample_filter(recsys_api.item_filter({filter}), %s, %s, %s)"
        f" from generate_series(1, {times})".encode(),
        ("code_scan" if passing is None else "exact", passing, milliseconds),
    )


def conditions(advice):
    return [each.condition for each in advice]


def test_without_a_sample_nothing_is_proposed(shop):
    assert advise(shop) == []
    assert read_sample(shop).samples == 0


@pytest.mark.parametrize(
    ("filter", "condition", "rows"),
    [
        ("categories => '{c3}'", IndexCondition(category="c3"), 450),
        ("tags => '{t2}'", IndexCondition(tags=("t2",)), 1000),
        ("tags => '{t2,even}'", IndexCondition(tags=("even", "t2")), 500),
        ("""attributes => '{"size": 2}'""", IndexCondition(attributes={"size": 2}), 1250),
        ("rule => 'third'", IndexCondition(rule="third"), 1667),
        ("categories => '{c3}', max_price => 50, in_stock => true", IndexCondition(category="c3"), 450),
    ],
)
def test_a_slow_filter_that_is_used_gets_an_index(shop, other_session, filter, condition, rows):
    search(other_session, filter)
    best = advise(shop)[0]
    assert best.condition == condition
    assert best.rows == rows


def test_the_gain_is_searches_a_day_times_milliseconds_saved(shop, other_session):
    other_session.execute("update recsys.settings set value = '0.1' where key = 'search.sample_share'")
    search(other_session, "categories => '{c3}'", times=10, milliseconds=80.0)
    (best,) = advise(shop)
    # ten samples stand for a hundred searches, and what took seconds counts as an hour
    assert best.searches_a_day == pytest.approx(2400)
    assert best.milliseconds_now == pytest.approx(80)
    assert 0 < best.milliseconds_then < 40
    saved = best.searches_a_day * (best.milliseconds_now - best.milliseconds_then) / 1000
    assert best.seconds_saved_a_day == pytest.approx(saved)


def test_size_and_build_time_are_told_close_to_what_they_become(shop, other_session):
    search(other_session, "tags => '{t2}'")
    (advised,) = advise(shop)
    index = build_for(shop, ItemFilter(tags=("t2",)))
    assert index.index_name == advised.index_name
    assert index.size_bytes == pytest.approx(advised.size_bytes, rel=0.3)
    assert index.build_seconds > 0
    search(other_session, """attributes => '{"size": 2}'""")
    (next_advice,) = advise(shop)
    assert next_advice.build_seconds == pytest.approx(1250 * index.build_seconds / 1000)


@pytest.mark.parametrize(
    "filter",
    [
        "rule => 'cheap'",
        "rule => 'recent'",
        "rule => 'joined'",
        "rule => 'unknown'",
        "tags => '{unknown}'",
        "categories => '{c3,c4}'",
        "in_stock => true, max_price => 50",
    ],
)
def test_what_no_index_may_have_is_not_proposed(shop, other_session, filter):
    search(other_session, filter)
    assert advise(shop) == []


def test_a_rule_that_no_index_can_have_does_not_keep_the_rest_of_the_filter_from_one(shop, other_session):
    search(other_session, "rule => 'cheap', categories => '{c3}'")
    assert conditions(advise(shop)) == [IndexCondition(category="c3")]


def test_a_filter_that_few_items_pass_or_more_than_half_gets_none(shop, other_session):
    search(other_session, "tags => '{odd}'")  # exactly half
    assert conditions(advise(shop)) == [IndexCondition(tags=("odd",))]
    other_session.execute("update recsys.items set embedding = null where id % 2 = 0 and id < 20")
    assert advise(shop) == []
    search(other_session, "categories => '{c3}'")
    other_session.execute("update recsys.settings set value = '1500' where key = 'search.scan_limit'")
    assert advise(shop) == []


def test_a_fast_filter_gets_none(shop, other_session):
    search(other_session, "categories => '{c3}'", milliseconds=0.001)
    assert advise(shop) == []


def test_what_was_searched_once_or_twice_gets_none(shop, other_session):
    search(other_session, "categories => '{c3}'", times=2, milliseconds=5000)
    search(other_session, "categories => '{c4}'", times=2, milliseconds=5000)
    assert advise(shop) == []


def test_an_index_of_which_little_passes_the_whole_filter_is_worth_less(shop, other_session):
    search(other_session, "categories => '{c3}', max_price => 99", passing=400)
    search(other_session, "categories => '{c4}', max_price => 1", passing=1)
    assert conditions(advise(shop)) == [IndexCondition(category="c3")]


def test_one_index_that_serves_several_filters_is_proposed_once(shop, other_session):
    for part in range(4):
        search(other_session, f"""tags => '{{t2}}', attributes => '{{"size": {part}}}'""")
    advice = advise(shop)
    assert conditions(advice)[0] == IndexCondition(tags=("t2",))
    assert advice[0].searches_a_day == pytest.approx(40 * 24)
    # what the first saves is not promised again
    assert sum(each.seconds_saved_a_day for each in advice) <= 40 * 24 * 500 / 1000


def test_what_exists_is_not_proposed_and_what_it_saves_not_promised(shop, other_session):
    search(other_session, "categories => '{c3}'")
    search(other_session, "categories => '{c3}', tags => '{odd}'")
    build_for(shop, ItemFilter(categories=("c3",)))
    assert [each for each in advise(shop) if each.seconds_saved_a_day > 10] == []
    assert listing(shop)[0].condition == IndexCondition(category="c3")


def test_the_largest_gain_comes_first(shop, other_session):
    search(other_session, "categories => '{c3}'", milliseconds=50)
    search(other_session, "categories => '{c4}'", milliseconds=70)
    search(other_session, "categories => '{c5}'", milliseconds=60)
    assert conditions(advise(shop)) == [IndexCondition(category=name) for name in ("c4", "c5", "c3")]


def test_awkward_values_are_proposed_as_they_are(shop, other_session):
    (awkward,) = other_session.execute("select category from recsys.items where id = 1").fetchone()
    search(other_session, f"categories => array[$q${awkward}$q$]".replace("%", "%%"))
    assert conditions(advise(shop)) == [IndexCondition(category=awkward)]
    assert advise(shop)[0].rows == 500
