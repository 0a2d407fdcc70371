"""What steers a list: each control does what it promises, alone and with others, and keeps the list full."""

from collections import Counter

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import namedtuple_row

DRAMA_LOVER, ONLY_DISLIKES, NEW_USER = 1, 29, 30
USERS = (DRAMA_LOVER, ONLY_DISLIKES, NEW_USER)

BOOST = "recsys_api.item_boost(recsys_api.item_filter(in_stock => true), 2)"
REFUSED = [
    ("name => null", "RS010", "NULL is no name of a scenario"),
    ("name => 'Home page'", "RS010", "'Home page' is no name of a scenario"),
    ("'a', method => 'best'", "RS010", "method is 'best'"),
    ("'a', diversity => 1.5", "RS010", "diversity is 1.5, not between 0 and 1"),
    ("'a', popularity_damping => 'NaN'", "RS010", "popularity_damping is NaN"),
    ("'a', rotation => -1", "RS010", "rotation is -1"),
    ("'a', new_item_share => 2", "RS010", "new_item_share is 2"),
    ("'a', max_per_category => 0", "RS010", "max_per_category is 0, not between 1 and 1000"),
    ("'a', rotation_half_life => '0 s'", "RS010", "rotation_half_life is 00:00:00"),
    ("'a', rotation_half_life => '100 years'", "RS010", "rotation_half_life is 100 years"),
    ("'a', filter => recsys_api.item_filter(rule => 'nothing')", "RS013", "there is no rule 'nothing'"),
    (
        "'a', boosts => array[recsys_api.item_boost(recsys_api.item_filter(rule => 'nothing'), 2)]",
        "RS013",
        "there is no rule 'nothing'",
    ),
    (f"'a', boosts => array_fill({BOOST}, array[21])", "RS010", "there are 21 boosts, not at most 20"),
    (
        "'a', boosts => array[row(recsys_api.item_filter(in_stock => true), 0)::recsys_api.boost]",
        "RS010",
        "the factor of a boost is 0,",
    ),
    ("'a', boosts => array[null::recsys_api.boost]", "RS010", "a boost has no condition"),
    ("'a', pins => array[recsys_api.item_pin(999, 1)]", "RS002", "item 999 does not exist"),
    ("'a', pins => array[row(1, 0)::recsys_api.pin]", "RS010", "the place of item 1 is 0"),
    ("'a', pins => array[null::recsys_api.pin]", "RS010", "the item of a pin is NULL"),
    (
        "'a', pins => array[recsys_api.item_pin(1, 2), recsys_api.item_pin(3, 2)]",
        "RS010",
        "items 1, 3 are pinned to one place, 2",
    ),
    (
        "'a', pins => array[recsys_api.item_pin(1, 2), recsys_api.item_pin(1, 3)]",
        "RS010",
        "item 1 is pinned to the places 2, 3",
    ),
    (
        "'a', filter => recsys_api.item_filter(exclude_item_ids => '{1}'),"
        " pins => array[recsys_api.item_pin(1, 2)]",
        "RS010",
        "item 1 is pinned to place 2 and excluded by the filter",
    ),
    (
        "'a', pins => (select array_agg(recsys_api.item_pin(1, p)) from generate_series(1, 101) p)",
        "RS010",
        "there are 101 pins, not at most 100",
    ),
]
CONSTRUCTORS = [
    ("item_boost(recsys_api.item_filter(), 2)", "a boost has no condition"),
    ("item_boost(null, 2)", "a boost has no condition"),
    ("item_boost(recsys_api.item_filter(in_stock => true), 0)", "the factor of a boost is 0, not between"),
    ("item_boost(recsys_api.item_filter(in_stock => true), -2)", "the factor of a boost is -2"),
    ("item_boost(recsys_api.item_filter(in_stock => true), 'NaN')", "the factor of a boost is NaN"),
    ("item_boost(recsys_api.item_filter(in_stock => true), 'Infinity')", "the factor of a boost is Infinity"),
    ("item_boost(recsys_api.item_filter(in_stock => true), null)", "the factor of a boost is NULL"),
    ("item_pin(null, 1)", "the item of a pin is NULL"),
    ("item_pin(1, 0)", "the place of item 1 is 0, not between 1 and 1000"),
    ("item_pin(1, 1001)", "the place of item 1 is 1001"),
    ("item_pin(1, null)", "the place of item 1 is NULL"),
]
CALLS = [
    ("recommend_for_user(1, scenario => 'nothing')", "RS014", "there is no scenario 'nothing'"),
    ("recommend_for_items('{1}', scenario => 'nothing')", "RS014", "there is no scenario 'nothing'"),
    ("similar_items(1, scenario => 'nothing')", "RS014", "there is no scenario 'nothing'"),
    ("explain_recommendation(1, 2, 'nothing')", "RS014", "there is no scenario 'nothing'"),
    ("drop_scenario('nothing')", "RS014", "there is no scenario 'nothing'"),
    ("drop_scenario(null)", "RS010", "name is NULL"),
    ("recommend_for_user(1, rotation => 1.1)", "RS010", "rotation is 1.1"),
    ("recommend_for_user(1, new_item_share => 'NaN')", "RS010", "new_item_share is NaN"),
    ("recommend_for_items('{1}', max_per_category => -1)", "RS010", "max_per_category is -1"),
    ("recommend_for_items('{1}', popularity_damping => 2)", "RS010", "popularity_damping is 2"),
    (
        "explain_recommendation(1, 2, rotation_half_life => '-1 day')",
        "RS010",
        "rotation_half_life is -1 days",
    ),
    ("record_impressions(999, '{1}')", "RS001", "user 999 does not exist"),
    ("record_impressions(null, '{1}')", "RS010", "the user id is NULL"),
    ("record_impressions(1, '{1,999}')", "RS002", "item 999 does not exist"),
    ("record_impressions(1, '{1,null}')", "RS010", "an item id is NULL"),
    ("record_impressions(1, null)", "RS010", "an item id is NULL"),
    ("record_impressions(1, array_fill(1::bigint, array[1001]))", "RS010", "there are 1001 items"),
    ("record_impressions(1, '{1}', now() + interval '1 hour')", "RS010", "in the future"),
    ("record_impressions(1, '{1}', 'infinity')", "RS010", "shown_at is infinity"),
    ("record_impressions(1, '{1}', null)", "RS010", "shown_at is NULL"),
]


def rows(connection, user_id, n=10, **arguments):
    """Rows of recommend_for_user with these arguments; one that is text is SQL."""
    given_arguments = "".join(f", {name} => {value}" for name, value in arguments.items())
    statement = f"select * from recsys_api.recommend_for_user({user_id}, {n}{given_arguments})"
    return connection.cursor(row_factory=namedtuple_row).execute(statement.encode()).fetchall()


def ids(found):
    return [row.item_id for row in found]


def define(connection, arguments="", name="home"):
    connection.execute(f"select recsys_api.define_scenario('{name}'{arguments})".encode())


def boosts(*entries):
    listed = ", ".join(
        f"recsys_api.item_boost(recsys_api.item_filter({condition}), {factor})"
        for condition, factor in entries
    )
    return f", boosts => array[{listed}]"


def pins(*entries):
    return ", pins => array[" + ", ".join(f"recsys_api.item_pin({i}, {place})" for i, place in entries) + "]"


def passing(connection, user_id):
    """The items that may be shown to a user."""
    return set(ids(rows(connection, user_id, 1000)))


def refused(connection, statement, sqlstate, message):
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        connection.execute(statement.encode())
    assert message in raised.value.diag.message_primary
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint.endswith(".")


# neutral


@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize("method", ["hybrid", "user_based", "content"])
@pytest.mark.parametrize("n", [10, 60])
def test_controls_that_say_nothing_change_nothing(catalogue, user_id, method, n):
    define(catalogue)
    plain = rows(catalogue, user_id, n, method=f"'{method}'")
    neutral = {
        "diversity": 0,
        "popularity_damping": 0,
        "rotation": 0,
        "new_item_share": 0,
        "scenario": "'home'",
        "shown_item_ids": "'{}'",
    }
    assert rows(catalogue, user_id, n, method=f"'{method}'", **neutral) == plain
    assert {row.placement for row in plain} == {"score"}


@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize("n", [1, 10, 60])
def test_a_limit_that_nothing_reaches_changes_nothing(catalogue, user_id, n):
    assert rows(catalogue, user_id, n, max_per_category=1000) == rows(catalogue, user_id, n)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("method", ["'hybrid'", "'popular'"])
def test_the_smallest_diversity_is_nearly_the_order_by_score(catalogue, user, method):
    """Also where all or many have the same score, as what is listed by popularity has."""
    by_score = ids(rows(catalogue, user, 30, method=method))
    assert ids(rows(catalogue, user, 30, method=method, diversity=1e-9)) == by_score


def test_pins_behind_the_end_of_a_list_come_once(catalogue):
    define(catalogue, ", filter => recsys_api.item_filter(item_ids => '{1,2,3}')" + pins((2, 3), (3, 4)))
    for controls in ({}, {"diversity": 0.5}, {"max_per_category": 1}):
        found = rows(catalogue, NEW_USER, 5, scenario="'home'", **controls)
        assert sorted(ids(found)) == [1, 2, 3]
        assert [row.placement for row in found] == ["score", "pin", "pin"]
        assert [row.rank for row in found] == [1, 2, 3]


# diversity


def test_items_without_embeddings_are_told_apart_by_what_was_learned_of_them(catalogue):
    catalogue.execute("update recsys.items set embedding = null")
    catalogue.execute("update recsys.models set decays = '{1}' where purpose = 'collaborative'")
    (model,) = catalogue.execute("select id from recsys.models where purpose = 'collaborative'").fetchone()
    catalogue.execute(
        f"create table recsys.item_factors_by_hand partition of recsys.item_factors for values in ({model})"
    )
    # two groups of items, of which the user likes the first a little more
    catalogue.execute(
        """
        insert into recsys.item_factors (model_id, item_id, target, history)
        select %s, i.id, t.vector::halfvec, array[t.vector::halfvec]
        from generate_series(1, 20) i (id)
        cross join lateral (
            select array_agg((case when d = 1 then 0.3 - i.id * 0.001
                when d = 2 + (i.id > 10)::int then 0.6
                when d = 384 then sqrt(1 - (0.3 - i.id * 0.001) ^ 2 - 0.36)
                else 0 end)::real order by d)::vector as vector
            from generate_series(1, 384) d) t
        """,
        (model,),
    )
    catalogue.execute("delete from recsys.interactions where user_id = 30")
    catalogue.execute("select recsys_api.record_interaction(30, 1, 'purchase')")
    plain = ids(rows(catalogue, 30, 6))
    assert all(item_id <= 10 for item_id in plain)
    mixed = ids(rows(catalogue, 30, 6, diversity=0.8))
    assert {item_id > 10 for item_id in mixed} == {True, False}


# limits


@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("n", [7, 1000])
def test_a_category_has_at_most_its_rows_and_the_list_is_as_full_as_that_allows(catalogue, user_id, limit, n):
    found = rows(catalogue, user_id, n, max_per_category=limit)
    counts = Counter(row.category for row in found)
    assert max(counts.values()) <= limit
    sizes = Counter(row.category for row in rows(catalogue, user_id, 1000))
    assert len(found) == min(n, sum(min(limit, size) for size in sizes.values()))


def test_a_limit_fills_up_from_categories_that_no_candidate_is_of(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:
        found = rows(
            connection, 5, 400, max_per_category=8, filter="recsys_api.item_filter(in_stock => true)"
        )
        # of 50 categories, those whose items are out of stock have none
        having = connection.execute(
            "select count(*) from (select category from recsys.items where in_stock group by 1) c"
        ).fetchone()[0]
    assert len(found) == min(400, 8 * having)
    assert max(Counter(row.category for row in found).values()) <= 8


def test_items_without_a_category_are_not_limited(catalogue):
    catalogue.execute("update recsys.items set category = null where id > 5")
    found = rows(catalogue, NEW_USER, 60, max_per_category=1)
    assert Counter(row.category for row in found)[None] == 55
    assert len(found) == 56


# damping


def test_damping_divides_scores_by_popularity(catalogue):
    popularity = dict(
        catalogue.execute("select item_id, score from recsys_api.popular_items(1000)").fetchall()
    )
    plain = {row.item_id: row.score for row in rows(catalogue, DRAMA_LOVER, 60)}
    damped = rows(catalogue, DRAMA_LOVER, 60, popularity_damping=0.5)
    assert len(damped) == len(plain)
    for row in damped:
        factor = (1 + popularity[row.item_id]) ** -0.5
        expected = plain[row.item_id] * factor if plain[row.item_id] > 0 else plain[row.item_id] / factor
        assert row.score == pytest.approx(expected, abs=1e-9)


def test_damping_leaves_a_list_by_popularity_in_its_order(catalogue):
    assert ids(rows(catalogue, NEW_USER, 60, popularity_damping=1)) == ids(rows(catalogue, NEW_USER, 60))


# rotation


def test_what_was_shown_sinks_and_comes_back(catalogue):
    plain = rows(catalogue, DRAMA_LOVER, 10)
    first = plain[0]
    catalogue.execute("select recsys_api.record_impressions(%s, %s)", (DRAMA_LOVER, [first.item_id]))
    assert rows(catalogue, DRAMA_LOVER, 10) == plain
    assert first.item_id not in ids(rows(catalogue, DRAMA_LOVER, 10, rotation=1))
    (sunk,) = (row for row in rows(catalogue, DRAMA_LOVER, 60, rotation=0.5) if row.item_id == first.item_id)
    assert sunk.score == pytest.approx(first.score * 0.5)
    catalogue.execute("update recsys.impressions set shown_at = now() - interval '2 hours'")
    (sunk,) = (
        row
        for row in rows(catalogue, DRAMA_LOVER, 60, rotation=0.5, rotation_half_life="'1 hour'")
        if row.item_id == first.item_id
    )
    assert sunk.score == pytest.approx(first.score * (1 - 0.5 * 0.25))


@pytest.mark.parametrize("user_id", [DRAMA_LOVER, NEW_USER])
def test_full_rotation_shows_all_that_has_a_score_or_else_is_popular_before_anything_again(
    catalogue, user_id
):
    plain = rows(catalogue, user_id, 60)
    items = {row.item_id for row in plain if row.score > 0} or set(ids(plain))
    seen = []
    while len(seen) < len(items):
        page = ids(rows(catalogue, user_id, 4, rotation=1, rotation_half_life="'1 year'"))
        catalogue.execute("select recsys_api.record_impressions(%s, %s)", (user_id, page))
        seen += page
    assert set(seen[: len(items)]) == items


def test_what_others_were_shown_changes_nothing(catalogue):
    plain = rows(catalogue, DRAMA_LOVER)
    catalogue.execute("select recsys_api.record_impressions(2, %s)", (ids(plain),))
    assert ids(rows(catalogue, DRAMA_LOVER, rotation=1)) == ids(plain)


# exploration


@pytest.mark.parametrize(("share", "n"), [(0.1, 10), (0.34, 20), (1, 5), (1, 20)])
def test_a_share_of_the_places_goes_to_items_that_few_know(catalogue, share, n):
    catalogue.execute("update recsys.settings set value = '1' where key = 'new_items.interactions'")
    unknown = {
        item_id
        for (item_id,) in catalogue.execute(
            "select id from recsys.items i where not exists"
            " (select from recsys.interactions a where a.item_id = i.id)"
        )
    }
    assert 3 < len(unknown) < 20
    found = rows(catalogue, DRAMA_LOVER, n, new_item_share=share)
    explored = [row for row in found if row.placement == "exploration"]
    assert {row.item_id for row in explored} <= unknown
    assert len(explored) == min(int(share * n + 1e-9), len(unknown))
    assert len(set(ids(found))) == n
    assert found == rows(catalogue, DRAMA_LOVER, n, new_item_share=share)
    # the best of those, in order
    scores = [row.score for row in explored]
    assert scores == sorted(scores, reverse=True)


def test_places_for_new_items_stay_filled_when_none_is_new(catalogue):
    catalogue.execute("update recsys.settings set value = '0' where key = 'new_items.interactions'")
    assert ids(rows(catalogue, DRAMA_LOVER, new_item_share=1)) == ids(rows(catalogue, DRAMA_LOVER))


# pages


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    user_id=st.sampled_from(USERS),
    n=st.integers(min_value=3, max_value=25),
    controls=st.fixed_dictionaries(
        {},
        optional={
            "diversity": st.sampled_from([0.2, 1]),
            "popularity_damping": st.sampled_from([0.3, 1]),
            "new_item_share": st.sampled_from([0.15, 0.5]),
            "rotation": st.sampled_from([0.5, 1]),
            "scenario": st.just("'home'"),
        },
    ),
)
def test_pages_repeat_nothing_leave_nothing_out_and_count_on(catalogue, user_id, n, controls):
    with catalogue.transaction(force_rollback=True):
        define(catalogue, pins((60, 4), (33, 17)) + boosts(("tags => '{odd}'", 3), ("max_price => 4", 0.2)))
        items, shown = passing(catalogue, user_id), []
        ranks = []
        while page := rows(
            catalogue, user_id, n, shown_item_ids=f"'{{{','.join(map(str, shown))}}}'", **controls
        ):
            shown += ids(page)
            ranks += [row.rank for row in page]
            assert len(page) == n or len(shown) == len(items)
        assert len(shown) == len(set(shown))
        assert set(shown) == items
        assert ranks == list(range(1, len(items) + 1))
        if "scenario" in controls:
            assert [shown[3], shown[16]] == [60, 33]


def test_a_page_after_a_change_repeats_nothing(catalogue):
    first = ids(rows(catalogue, NEW_USER, 5))
    catalogue.execute("select recsys_api.record_interaction(%s, 35, 'click')", (NEW_USER,))
    second = rows(catalogue, NEW_USER, 5, shown_item_ids=f"array{first}::bigint[]")
    assert not set(first) & set(ids(second))
    assert [row.rank for row in second] == [6, 7, 8, 9, 10]


# impressions


def test_impressions_are_counted_once_a_call_and_keep_the_latest_time(catalogue):
    record = "select recsys_api.record_impressions(1, %s, %s)"
    assert catalogue.execute(record, ([3, 3, 2], "2026-01-02")).fetchone() == (2,)
    assert catalogue.execute(record, ([3], "2026-01-01")).fetchone() == (1,)
    assert catalogue.execute(
        "select item_id, shown_at = '2026-01-02', times from recsys.impressions order by 1"
    ).fetchall() == [(2, True, 1), (3, True, 2)]
    assert catalogue.execute("select recsys_api.record_impressions(1, '{}')").fetchone() == (0,)


def test_of_a_user_the_latest_impressions_are_kept(catalogue):
    catalogue.execute("update recsys.settings set value = '3' where key = 'impressions.length'")
    for day, items in enumerate(([1, 2], [3, 4], [5, 1]), start=1):
        catalogue.execute("select recsys_api.record_impressions(1, %s, %s)", (items, f"2026-01-0{day}"))
    catalogue.execute("select recsys_api.record_impressions(2, '{7}')")
    kept = catalogue.execute("select user_id, item_id from recsys.impressions order by 1, 2").fetchall()
    assert kept == [(1, 1), (1, 4), (1, 5), (2, 7)]


def test_impressions_and_pins_go_with_the_user_and_the_item(catalogue):
    define(catalogue, pins((2, 1), (3, 2)))
    catalogue.execute("select recsys_api.record_impressions(1, '{2,3}')")
    catalogue.execute("select recsys_api.record_impressions(4, '{3}')")
    catalogue.execute("delete from recsys.items where id = 2")
    catalogue.execute("delete from recsys.users where id = 1")
    assert catalogue.execute("select user_id, item_id from recsys.impressions").fetchall() == [(4, 3)]
    assert catalogue.execute("select item_id, place from recsys.scenario_pins").fetchall() == [(3, 2)]


def test_two_sessions_that_note_the_same_page_do_not_deadlock(catalogue_url):
    with psycopg.connect(catalogue_url) as one, psycopg.connect(catalogue_url) as other:
        other.execute("set lock_timeout = '200ms'")
        one.execute("select recsys_api.record_impressions(1, '{1,2,3}')")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select recsys_api.record_impressions(1, '{3,2,1}')")
        other.rollback()
        one.commit()
        other.execute("select recsys_api.record_impressions(1, '{3,2,1}')")
        other.commit()
        assert other.execute("select distinct times from recsys.impressions").fetchall() == [(2,)]


# explanations


@pytest.mark.parametrize("user_id", [DRAMA_LOVER, ONLY_DISLIKES, 7])
def test_contributions_and_changes_sum_to_the_score(catalogue, user_id):
    define(catalogue, boosts(("tags => '{odd}'", 3), ("max_price => 4", 0.2)) + ", rotation => 0.7")
    catalogue.execute(
        "select recsys_api.record_impressions(%s, array(select generate_series(1, 40)),"
        " now() - interval '9 hours')",
        (user_id,),
    )
    changes = set()
    for row in rows(catalogue, user_id, 60, scenario="'home'", popularity_damping=0.4):
        parts = catalogue.execute(
            "select item_id, title, contribution, weight"
            " from recsys_api.explain_recommendation(%s, %s, 'home', 0.4)",
            (user_id, row.item_id),
        ).fetchall()
        assert sum(part[2] for part in parts) == pytest.approx(row.score, abs=1e-5)
        changes |= {title for item_id, title, *_ in parts if item_id is None}
        assert all(weight != 1 for item_id, _, _, weight in parts if item_id is None)
    assert changes == {"boost", "popularity damping", "rotation"}


# scenarios


def test_a_scenario_that_makes_no_sense_is_not_saved(catalogue):
    define(catalogue, name="a", arguments=", diversity => 0.1")
    for arguments, sqlstate, message in REFUSED:
        refused(catalogue, f"select recsys_api.define_scenario({arguments})", sqlstate, message)
    assert catalogue.execute("select name, diversity from recsys.scenarios").fetchall() == [("a", 0.1)]


def test_bad_boosts_pins_and_calls_are_refused_by_name(catalogue):
    for call, message in CONSTRUCTORS:
        refused(catalogue, f"select recsys_api.{call}", "RS010", message)
    for call, sqlstate, message in CALLS:
        refused(catalogue, f"select * from recsys_api.{call}", sqlstate, message)


def test_the_known_scenarios_are_named_when_one_is_unknown(catalogue):
    define(catalogue)
    with pytest.raises(psycopg.Error) as raised:
        rows(catalogue, 1, scenario="'hone'")
    assert "There are: home" in raised.value.diag.message_hint


def test_a_scenario_is_what_its_controls_are_in_a_call_and_a_call_overrides_it(catalogue):
    define(
        catalogue,
        ", method => 'content', exclude_seen => false, diversity => 0.4, max_per_category => 3,"
        " popularity_damping => 0.2, new_item_share => 0.2",
    )
    spelled = {
        "method": "'content'",
        "exclude_seen": "false",
        "diversity": 0.4,
        "max_per_category": 3,
        "popularity_damping": 0.2,
        "new_item_share": 0.2,
    }
    by_name = rows(catalogue, DRAMA_LOVER, 8, scenario="'home'")
    assert by_name == rows(catalogue, DRAMA_LOVER, 8, **spelled)
    assert by_name != rows(catalogue, DRAMA_LOVER, 8)
    for control, other in {
        "method": "'hybrid'",
        "exclude_seen": "true",
        "diversity": 0,
        "max_per_category": 1000,
        "popularity_damping": 0,
        "new_item_share": 0,
    }.items():
        overridden = rows(catalogue, DRAMA_LOVER, 8, scenario="'home'", **{control: other})
        assert overridden == rows(catalogue, DRAMA_LOVER, 8, **spelled | {control: other})


def test_defining_a_scenario_again_replaces_all_of_it(catalogue):
    define(catalogue, ", diversity => 0.4" + boosts(("in_stock => true", 2)) + pins((60, 1)))
    define(catalogue, ", max_per_category => 3")
    stored = catalogue.execute("select diversity, max_per_category from recsys.scenarios").fetchall()
    assert stored == [(None, 3)]
    for table in ("scenario_boosts", "scenario_pins"):
        assert catalogue.execute(f"select count(*) from recsys.{table}").fetchone() == (0,)


@pytest.mark.parametrize(
    ("call", "stored", "both"),
    [
        ("categories => '{Drama,Comedy}'", "categories => '{Comedy,Horror}'", "categories => '{Comedy}'"),
        ("in_stock => true", "max_price => 9", "in_stock => true, max_price => 9"),
        ("in_stock => true", "in_stock => false", "item_ids => '{}'"),
        ("min_price => 3, max_price => 9", "min_price => 5", "min_price => 5, max_price => 9"),
        ("min_price => 9", "max_price => 5", "item_ids => '{}'"),
        ("tags => '{odd}'", "tags => '{classic}'", "tags => '{odd,classic}'"),
        (
            "attributes => '{\"year\": 1965}'",
            "rule => 'cheap'",
            "attributes => '{\"year\": 1965}', rule => 'cheap'",
        ),
        ("item_ids => '{1,2,3,40}'", "item_ids => '{3,40,41}'", "item_ids => '{3,40}'"),
        ("exclude_item_ids => '{20}'", "exclude_item_ids => '{21}'", "exclude_item_ids => '{20,21}'"),
    ],
)
def test_the_filters_of_the_call_and_of_the_scenario_both_hold(catalogue, call, stored, both):
    catalogue.execute("select recsys_api.define_rule('cheap', 'item.price < 10')")
    define(catalogue, f", filter => recsys_api.item_filter({stored})")
    found = rows(catalogue, NEW_USER, 60, filter=f"recsys_api.item_filter({call})", scenario="'home'")
    if both == "item_ids => '{}'" or "min_price => 9" in call:
        assert found == []
    else:
        assert found
        assert found == rows(catalogue, NEW_USER, 60, filter=f"recsys_api.item_filter({both})")


@pytest.mark.parametrize(
    ("call", "stored", "message"),
    [
        ("rule => 'cheap'", "rule => 'odd'", "by the rule cheap and the scenario by the rule odd"),
        ("attributes => '{\"a\": 1}'", "attributes => '{\"a\": 2}'", "different values of the attribute 'a'"),
    ],
)
def test_two_filters_that_one_cannot_say_are_refused(catalogue, call, stored, message):
    catalogue.execute("select recsys_api.define_rule('cheap', 'item.price < 10')")
    catalogue.execute("select recsys_api.define_rule('odd', 'item.id % 2 = 1')")
    define(catalogue, f", filter => recsys_api.item_filter({stored})")
    refused(
        catalogue,
        "select * from recsys_api.recommend_for_user(1, scenario => 'home',"
        f" filter => recsys_api.item_filter({call}))",
        "RS010",
        message,
    )


# boosts


def test_boosts_multiply_the_scores_of_what_passes_their_filter(catalogue):
    catalogue.execute("select recsys_api.define_rule('cheap', 'item.price < 4')")
    plain = {row.item_id: row for row in rows(catalogue, DRAMA_LOVER, 60)}
    define(catalogue, boosts(("tags => '{odd}'", 3), ("rule => 'cheap'", 0.5)))
    prices = dict(catalogue.execute("select id, price from recsys.items").fetchall())
    boosted = rows(catalogue, DRAMA_LOVER, 60, scenario="'home'")
    assert len(boosted) == len(plain)
    for row in boosted:
        factor = (3 if row.item_id % 2 else 1) * (0.5 if (prices[row.item_id] or 9) < 4 else 1)
        score = plain[row.item_id].score
        assert row.score == pytest.approx(score * factor if score > 0 else score / factor, abs=1e-9)
        assert row.placement == ("boost" if factor != 1 else "score")
    assert [row.score for row in boosted] == sorted((row.score for row in boosted), reverse=True)


def test_a_boost_raises_what_is_listed_by_popularity_too(catalogue):
    plain = ids(rows(catalogue, NEW_USER, 60))
    late = plain[40:43]
    define(catalogue, boosts((f"item_ids => array{late}", 1000)))
    assert set(ids(rows(catalogue, NEW_USER, 3, scenario="'home'"))) == set(late)
    define(catalogue, boosts((f"item_ids => array{plain[:1]}", 0.001)))
    assert ids(rows(catalogue, NEW_USER, 5, scenario="'home'"))[0] == plain[1]


def test_a_rule_that_a_scenario_uses_is_not_dropped(catalogue):
    catalogue.execute("select recsys_api.define_rule('cheap', 'item.price < 4')")
    define(catalogue, boosts(("rule => 'cheap'", 2)))
    refused(catalogue, "select recsys_api.drop_rule('cheap')", "RS010", "is used by the scenario home")
    catalogue.execute("select recsys_api.define_rule('cheap', 'item.price < 5')")
    catalogue.execute("select recsys_api.drop_scenario('home'), recsys_api.drop_rule('cheap')")


# pins


@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize(
    "controls", [{}, {"diversity": 0.5}, {"max_per_category": 1}, {"new_item_share": 0.5}]
)
def test_pins_have_their_places_and_the_others_keep_their_order(catalogue, user_id, controls):
    define(catalogue, pins((60, 1), (33, 3), (48, 8)))
    found = rows(catalogue, user_id, 4, scenario="'home'", **controls)
    assert (found[0].item_id, found[2].item_id) == (60, 33)
    assert [row.placement for row in found if row.item_id in (60, 33)] == ["pin", "pin"]
    assert {row.reason for row in found if row.placement == "pin"} == {"pinned"}
    # what is pinned further down is not shown before
    assert 48 not in ids(found)
    if not controls:
        others = [item_id for item_id in ids(rows(catalogue, user_id, 60)) if item_id not in (60, 33, 48)]
        assert [item_id for item_id in ids(found) if item_id not in (60, 33)] == others[:2]


def test_a_pin_that_may_not_be_shown_leaves_its_place_to_others(catalogue):
    plain = ids(rows(catalogue, DRAMA_LOVER, 4))
    (bought,) = catalogue.execute(
        "select item_id from recsys.interactions where user_id = 1 and kind = 'purchase' limit 1"
    ).fetchone()
    define(catalogue, ", filter => recsys_api.item_filter(in_stock => true)" + pins((60, 1), (bought, 2)))
    catalogue.execute("update recsys.items set in_stock = id <> 60")
    found = rows(catalogue, DRAMA_LOVER, 4, scenario="'home'")
    assert ids(found) == plain
    catalogue.execute("update recsys.items set in_stock = true where id = 60")
    assert ids(rows(catalogue, DRAMA_LOVER, 4, scenario="'home'")) == [60, *plain[:3]]


def test_a_list_that_ends_before_the_place_of_a_pin_ends_with_it(catalogue):
    define(catalogue, pins((3, 500), (2, 400)))
    few = "recsys_api.item_filter(item_ids => '{20,21,2,3}')"
    assert ids(rows(catalogue, NEW_USER, 10, filter=few, scenario="'home'"))[2:] == [2, 3]


# other lists


def test_baskets_and_similar_items_follow_scenarios_too(catalogue):
    define(catalogue, ", max_per_category => 1" + pins((60, 1)) + ", method => 'popular', rotation => 1")
    for call in (
        "recommend_for_items('{20,21}', 4, scenario => 'home')",
        "similar_items(20, 4, scenario => 'home')",
    ):
        found = catalogue.execute(f"select item_id, category from recsys_api.{call}").fetchall()
        assert found[0][0] == 60
        assert len({category for _, category in found}) == len(found) == 4
    plain = catalogue.execute("select * from recsys_api.recommend_for_items('{20,21}')").fetchall()
    shown = [row[1] for row in plain[:3]]
    page = catalogue.execute(
        "select item_id, rank from recsys_api.recommend_for_items('{20,21}', 7, shown_item_ids => %s)",
        (shown,),
    ).fetchall()
    assert page == [(row[1], row[0]) for row in plain[3:]]
