"""recommend_for_user on the small catalogue: who gets which rows, in which order and why."""

import json

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import namedtuple_row

METHODS = ("hybrid", "item_based", "user_based", "content", "popular")
DRAMA_LOVER, ONLY_DISLIKES, NEW_USER = 1, 29, 30


def recommend(connection, user_id, arguments="", **parameters):
    """Rows of recommend_for_user; arguments are further SQL arguments with placeholders."""
    statement = f"select * from recsys_api.recommend_for_user(user_id => %(user_id)s{arguments})"
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(statement.encode(), {"user_id": user_id} | parameters).fetchall()


def items_by_kind(connection, user_id, *kinds):
    rows = connection.execute(
        "select distinct item_id from recsys.interactions where user_id = %s and kind = any (%s)",
        (user_id, list(kinds)),
    )
    return {item_id for (item_id,) in rows}


def test_rows_are_ranked_from_one_and_describe_the_items(catalogue):
    rows = recommend(catalogue, DRAMA_LOVER, ", n => 10")
    assert [row.rank for row in rows] == list(range(1, 11))
    for row in rows:
        item = catalogue.execute(
            "select external_id, title, category, price, in_stock from recsys.items where id = %s",
            (row.item_id,),
        ).fetchone()
        assert (row.external_id, row.title, row.category, row.price, row.in_stock) == item
        assert row.reason


def test_a_taste_group_gets_its_own_category_first(catalogue):
    for user_id, category in ((1, "Drama"), (2, "Comedy"), (3, "Horror"), (4, "Science")):
        assert {row.category for row in recommend(catalogue, user_id, ", n => 5")} == {category}


@pytest.mark.parametrize("method", METHODS)
def test_personal_rows_come_first_by_score_and_popular_ones_follow(catalogue, method):
    scores = [row.score for row in recommend(catalogue, DRAMA_LOVER, ", n => 60, method => %(m)s", m=method)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_consumed_and_hidden_items_stay_out(catalogue, method):
    rows = recommend(catalogue, DRAMA_LOVER, ", n => 60, method => %(m)s", m=method)
    gone = items_by_kind(catalogue, DRAMA_LOVER, "purchase", "like", "rating", "dislike", "hide")
    assert gone
    assert {row.item_id for row in rows} == set(range(1, 61)) - gone


@pytest.mark.parametrize("method", METHODS)
def test_hidden_items_stay_out_even_with_seen_ones(catalogue, method):
    rows = recommend(catalogue, DRAMA_LOVER, ", n => 60, exclude_seen => false, method => %(m)s", m=method)
    gone = items_by_kind(catalogue, DRAMA_LOVER, "dislike", "hide")
    assert gone
    assert {row.item_id for row in rows} == set(range(1, 61)) - gone


def test_a_viewed_item_may_be_recommended(catalogue):
    viewed = items_by_kind(catalogue, DRAMA_LOVER, "view", "click", "cart") - items_by_kind(
        catalogue, DRAMA_LOVER, "purchase", "like", "rating"
    )
    assert viewed <= {row.item_id for row in recommend(catalogue, DRAMA_LOVER, ", n => 60")}


def test_a_dislike_lowers_the_neighbors_of_the_disliked_item(catalogue):
    before = {row.item_id: row for row in recommend(catalogue, DRAMA_LOVER, ", n => 60")}
    neighbor = before[8]
    catalogue.execute("select recsys_api.record_interaction(%s, 10, 'dislike')", (DRAMA_LOVER,))
    after = {row.item_id: row for row in recommend(catalogue, DRAMA_LOVER, ", n => 60")}
    assert after[8].score < neighbor.score - 0.1
    assert 10 not in after


def test_who_only_dislikes_gets_popular_items_with_the_disliked_ones_neighbors_last(catalogue):
    rows = recommend(catalogue, ONLY_DISLIKES, ", n => 60")
    (disliked,) = items_by_kind(catalogue, ONLY_DISLIKES, "dislike")
    (neighbors,) = catalogue.execute(
        "select array_agg(e.id)"
        " from recsys.item_neighbors n, unnest(n.neighbor_ids, n.weights) e (id, weight)"
        " where n.item_id = %s and e.weight > 0",
        (disliked,),
    ).fetchone()
    assert len(rows) == 59
    assert {row.item_id for row in rows[-len(neighbors) :]} == set(neighbors)
    assert all(row.score < 0 for row in rows[-len(neighbors) :])


def test_a_new_user_gets_what_is_popular(catalogue):
    rows = recommend(catalogue, NEW_USER, ", n => 60")
    popular = catalogue.execute("select item_id from recsys_api.popular_items(n => 60)").fetchall()
    assert [(row.item_id,) for row in rows] == popular
    assert {row.reason for row in rows} == {"popular", "new"}
    assert all(row.reason_item_id is None and row.score == 0 for row in rows)


def test_one_click_of_a_new_user_makes_the_list_personal(catalogue):
    catalogue.execute("select recsys_api.record_interaction(%s, 35, 'click')", (NEW_USER,))
    rows = recommend(catalogue, NEW_USER, ", n => 5")
    assert {row.category for row in rows} == {"Horror"}
    assert {row.reason_item_id for row in rows} == {35}


def test_an_item_without_embedding_or_interactions_is_listed_as_new(catalogue):
    new = {row.item_id: row.reason for row in recommend(catalogue, DRAMA_LOVER, ", n => 60")}
    assert new[60] == "new"


def test_an_embedded_item_that_nobody_knows_is_recommended_by_content(catalogue):
    rows = recommend(catalogue, 4, ", n => 3, filter => recsys_api.item_filter(item_ids => '{57,59,60}')")
    reasons = {row.item_id: row.reason for row in rows}
    assert reasons[59].startswith('similar to "Science')


def test_an_item_without_embedding_is_recommended_through_the_graph(catalogue):
    rows = recommend(catalogue, NEW_USER, ", n => 60")
    assert {row.item_id: row.reason for row in rows}[58] == "new"
    catalogue.execute("select recsys_api.record_interaction(%s, 56, 'like')", (NEW_USER,))
    rows = recommend(catalogue, NEW_USER, ", n => 60")
    assert {row.item_id: row.reason for row in rows}[58] == 'liked by people who liked "Science 11"'


@pytest.mark.parametrize("kind", ["purchase", "like", "dislike"])
def test_an_interaction_counts_in_its_own_transaction_and_not_after_a_rollback(catalogue, kind):
    before = recommend(catalogue, DRAMA_LOVER)
    catalogue.execute("savepoint before")
    catalogue.execute(
        "select recsys_api.record_interaction(%s, %s, %s)", (DRAMA_LOVER, before[0].item_id, kind)
    )
    during = recommend(catalogue, DRAMA_LOVER)
    assert before[0].item_id not in {row.item_id for row in during}
    catalogue.execute("rollback to savepoint before")
    assert recommend(catalogue, DRAMA_LOVER) == before


def test_a_price_and_stock_change_counts_in_its_own_transaction(catalogue):
    stocked = ", filter => recsys_api.item_filter(in_stock => true, max_price => 5)"
    first = recommend(catalogue, DRAMA_LOVER, stocked)[0]
    catalogue.execute("update recsys.items set in_stock = false where id = %s", (first.item_id,))
    assert first.item_id not in {row.item_id for row in recommend(catalogue, DRAMA_LOVER, stocked)}


def test_a_new_item_is_recommendable_at_once(catalogue):
    (item_id,) = catalogue.execute(
        "insert into recsys.items (title, category) values ('Western 1', 'Western') returning id"
    ).fetchone()
    (row,) = recommend(
        catalogue, DRAMA_LOVER, ", filter => recsys_api.item_filter(categories => '{Western}')"
    )
    assert (row.item_id, row.reason) == (item_id, "new")


def test_a_reason_names_a_past_item_that_the_user_liked(catalogue):
    for user_id in range(1, 29):
        liked = {
            item_id
            for (item_id,) in catalogue.execute(
                "select item_id from recsys_api._history(%s) where weight > 0", (user_id,)
            )
        }
        for row in recommend(catalogue, user_id, ", n => 60"):
            assert row.reason_item_id is None or row.reason_item_id in liked, row


def test_a_reason_says_by_which_way_the_item_was_found(catalogue):
    def reasons(method):
        return {
            row.reason for row in recommend(catalogue, DRAMA_LOVER, ", n => 5, method => %(m)s", m=method)
        }

    assert all(reason.startswith('liked by people who liked "Drama') for reason in reasons("item_based"))
    assert all(reason.startswith('similar to "Drama') for reason in reasons("content"))
    assert all(reason.endswith("of the users with the nearest taste") for reason in reasons("user_based"))
    assert reasons("popular") == {"popular"}


def test_the_hybrid_score_is_the_graph_score_plus_the_weighted_content_score(catalogue):
    def scores(method):
        rows = recommend(
            catalogue, DRAMA_LOVER, ", n => 60, exclude_seen => false, method => %(m)s", m=method
        )
        return {row.item_id: row.score for row in rows}

    (weight,) = catalogue.execute(
        "select value::float from recsys.settings where key = 'hybrid.content_weight'"
    ).fetchone()
    hybrid, graph, content = scores("hybrid"), scores("item_based"), scores("content")
    for item_id in (8, 13, 15):
        assert hybrid[item_id] == pytest.approx(graph[item_id] + weight * content[item_id], abs=1e-5)


def test_contributions_sum_to_the_hybrid_score(catalogue):
    wrong = catalogue.execute(
        """
        select u.id, r.item_id, r.score, e.total
        from recsys.users u
        cross join lateral recsys_api.recommend_for_user(u.id, n => 60, exclude_seen => false) r
        cross join lateral (
            select coalesce(sum(c.contribution), 0) as total
            from recsys_api.explain_recommendation(u.id, r.item_id) c
        ) e
        where abs(r.score - e.total) > 1e-5
        """
    ).fetchall()
    assert wrong == []


def test_the_reason_is_the_liked_item_that_contributes_most(catalogue):
    for row in recommend(catalogue, DRAMA_LOVER, ", n => 12"):
        first = catalogue.execute(
            "select item_id from recsys_api.explain_recommendation(%s, %s) where weight > 0 limit 1",
            (DRAMA_LOVER, row.item_id),
        ).fetchone()
        assert (row.reason_item_id,) == first


def test_diversity_of_zero_changes_nothing_and_of_one_mixes_the_categories(catalogue):
    plain = recommend(catalogue, DRAMA_LOVER)
    assert recommend(catalogue, DRAMA_LOVER, ", diversity => 0") == plain
    assert len({row.category for row in plain}) == 1
    assert len({row.category for row in recommend(catalogue, DRAMA_LOVER, ", diversity => 1")}) == 4


def test_some_diversity_keeps_the_best_item_first_and_the_number_of_rows(catalogue):
    plain = recommend(catalogue, DRAMA_LOVER)
    mixed = recommend(catalogue, DRAMA_LOVER, ", diversity => 0.5")
    assert mixed[0].item_id == plain[0].item_id
    assert len({row.item_id for row in mixed}) == 10
    assert [row.rank for row in mixed] == list(range(1, 11))


def test_a_long_history_is_cut_to_its_latest_part(catalogue):
    catalogue.execute("update recsys.settings set value = '1' where key = 'history.length'")
    (latest,) = catalogue.execute(
        "select item_id from recsys.interactions where user_id = 2 order by occurred_at desc, id desc limit 1"
    ).fetchone()
    history = catalogue.execute("select item_id from recsys_api._history(2)").fetchall()
    assert history == [(latest,)]


ITEM = st.integers(min_value=1, max_value=60)
CONDITIONS = {
    "categories": st.lists(st.sampled_from(["Drama", "Comedy", "Horror", "Science", "Western"]), max_size=3),
    "in_stock": st.booleans(),
    "min_price": st.integers(min_value=0, max_value=15),
    "max_price": st.integers(min_value=15, max_value=31),
    "tags": st.lists(st.sampled_from(["even", "odd", "classic", "none"]), max_size=2),
    "attributes": st.sampled_from([{}, {"year": 1975}, {"languages": ["fr"]}, {"color": "red"}]),
    "item_ids": st.lists(ITEM, max_size=30),
    "exclude_item_ids": st.lists(ITEM, max_size=30),
}
# few conditions at a time, so that many items pass
FILTERS = st.sets(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: CONDITIONS[name] for name in sorted(names)})
)


def contains(whole, part):
    """Whether an item's attributes contain what the filter asks for, as jsonb's @> does for these values."""
    return all(
        set(value) <= set(whole.get(key, [])) if isinstance(value, list) else whole.get(key) == value
        for key, value in part.items()
    )


def passes(item, conditions):
    """Whether an item passes a filter, said without SQL."""
    tests = {
        "categories": lambda wanted: item.category in wanted,
        "in_stock": lambda wanted: item.in_stock == wanted,
        "min_price": lambda wanted: item.price is not None and item.price >= wanted,
        "max_price": lambda wanted: item.price is not None and item.price <= wanted,
        "tags": lambda wanted: set(wanted) <= set(item.tags),
        "attributes": lambda wanted: contains(item.attributes, wanted),
        "item_ids": lambda wanted: item.id in wanted,
        "exclude_item_ids": lambda wanted: item.id not in wanted,
    }
    return all(tests[name](value) for name, value in conditions.items())


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    conditions=FILTERS,
    user_id=st.sampled_from([1, 2, 19, ONLY_DISLIKES, NEW_USER]),
    options=st.fixed_dictionaries(
        {
            "n": st.sampled_from([70, 10, 1]),
            "method": st.sampled_from(METHODS),
            "exclude_seen": st.booleans(),
            "diversity": st.sampled_from([0, 0, 0.3]),
        }
    ),
)
def test_n_rows_come_back_whenever_n_items_pass(catalogue, conditions, user_id, options):
    items = catalogue.cursor(row_factory=namedtuple_row).execute("select * from recsys.items").fetchall()
    hidden = items_by_kind(catalogue, user_id, "dislike", "hide")
    if options["exclude_seen"]:
        hidden |= items_by_kind(catalogue, user_id, "purchase", "like", "rating")
    passing = {item.id for item in items if passes(item, conditions)} - hidden
    casts = {"categories": "text[]", "tags": "text[]", "item_ids": "bigint[]", "exclude_item_ids": "bigint[]"}
    parameters = conditions | (
        {"attributes": json.dumps(conditions["attributes"])} if "attributes" in conditions else {}
    )
    arguments = ", ".join(
        f"{name} => %({name})s" + (f"::{casts[name]}" if name in casts else "") for name in conditions
    )
    rows = recommend(
        catalogue,
        user_id,
        f", n => %(n)s, filter => recsys_api.item_filter({arguments}), exclude_seen => %(exclude_seen)s,"
        " diversity => %(diversity)s, method => %(method)s",
        **options,
        **parameters,
    )
    found = [row.item_id for row in rows]
    assert len(found) == min(options["n"], len(passing))
    assert len(set(found)) == len(found)
    assert set(found) <= passing
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))


def test_an_unknown_user_is_refused_with_a_remedy(catalogue):
    with pytest.raises(psycopg.Error, match="user 999 does not exist") as raised:
        recommend(catalogue, 999)
    assert raised.value.sqlstate == "RS001"
    assert "ensure_user" in raised.value.diag.message_hint
