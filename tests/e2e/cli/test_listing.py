"""similar, recommend and popular: what they list, for people and for programs."""

import pytest

ROW = {"rank", "item_id", "external_id", "title", "category", "price", "in_stock", "score"}


def ids(outcome):
    assert outcome.code == 0, outcome.err
    return [row["item_id"] for row in outcome.json]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("similar 1", {"reason", "similarity"}),
        ("recommend 1", {"reason", "reason_item_id", "placement"}),
        ("recommend ann --external --explain", {"reason", "reason_item_id", "placement", "contributions"}),
        ("popular", set()),
    ],
)
def test_json_has_all_columns_and_nothing_else_is_on_stdout(cli, shop, command, more):
    listed = cli(*command.split(), "--json", "--database-url", shop)
    assert listed.code == 0
    assert listed.err == ""
    assert listed.json
    for row in listed.json:
        assert row.keys() == ROW | more


def test_people_get_a_table_with_the_reasons(cli, shop):
    listed = cli("recommend", "1", "--database-url", shop)
    lines = listed.out.splitlines()
    assert lines[0] == "For user 1:"
    assert lines[1].split() == ["#", "id", "title", "category", "price", "stock", "score", "reason"]
    assert 'liked with "Alien"' in lines[2]


def test_explain_shows_a_score_as_the_sum_of_what_past_items_add(cli, shop):
    (row, *_) = cli("recommend", "1", "--explain", "--json", "--database-url", shop).json
    assert sum(part["contribution"] for part in row["contributions"]) == pytest.approx(row["score"])
    told = cli("recommend", "1", "--explain", "--database-url", shop).out
    assert "1. Aliens: +0.900 Alien, +0.400 The Matrix" in told


def test_the_global_option_may_stand_before_the_command(cli, shop):
    assert ids(cli("--database-url", shop, "popular", "--json", "-n", "2")) == ids(
        cli("popular", "--json", "-n", "2", "--database-url", shop)
    )


def test_the_database_of_the_settings_is_used(cli, shop, monkeypatch):
    monkeypatch.setenv("RECSYS_PG_DATABASE_URL", shop)
    assert len(ids(cli("popular", "--json", "-n", "3"))) == 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--category Drama", {5, 8}),
        ("--category Drama --category Comedy", {3, 4, 5, 8}),
        ("--out-of-stock", {4, 7}),
        ("--in-stock --max-price 8", {3, 6}),
        ("--min-price 9.5", {1, 2}),
        ("--tag robots", {1}),
        ("--exclude-item 1 --exclude-item alien --category Action", {2, 7}),
        ("--exclude-item sku-1 --external --category Action", {2, 6, 7}),
        ("--category Nowhere", set()),
    ],
)
def test_filters_choose_what_is_listed(cli, shop, options, expected):
    assert set(ids(cli("popular", *options.split(), "--json", "--database-url", shop))) == expected


def test_an_empty_list_is_said_to_people_and_is_no_error(cli, shop):
    listed = cli("popular", "--category", "Nowhere", "--database-url", shop)
    assert (listed.code, listed.out) == (0, "No items: none pass the filter.\n")


def test_what_was_liked_is_listed_only_on_request(cli, shop):
    assert {1, 2, 6}.isdisjoint(ids(cli("recommend", "1", "--json", "--database-url", shop)))
    seen_too = cli("recommend", "1", "--include-seen", "--json", "--database-url", shop)
    assert {1, 2, 6} <= set(ids(seen_too))


def test_every_method_answers(cli, shop):
    for method in ("hybrid", "item_based", "user_based", "content", "popular"):
        listed = cli("recommend", "1", "--method", method, "--json", "--database-url", shop)
        assert len(ids(listed)) == 5


def test_a_person_without_a_history_gets_popular_items(cli, shop):
    rows = cli("recommend", "dee", "--external", "-n", "2", "--json", "--database-url", shop).json
    assert {row["reason"] for row in rows} == {"popular"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1", 1),
        ("The Matrix", 1),
        ("the matrix", 1),
        ("reloaded", 2),
        ('say "hi"; drop table items; --\'', 3),
        ("🎬", 4),
        ("1984", 5),
        ("ALIEN", 6),
        ("100%", 8),
    ],
)
def test_an_item_is_named_by_id_title_or_part_of_a_title(cli, shop, text, found):
    listed = cli("similar", text, "--database-url", shop)
    assert listed.code == 0
    assert f"(item {found}):" in listed.out.splitlines()[0]


def test_an_item_is_named_by_the_key_of_the_application(cli, shop):
    assert '"1984" (item 5)' in cli("similar", "sku-5", "--external", "--database-url", shop).out


def test_a_title_that_several_items_match_lists_them(cli, shop):
    failed = cli("similar", "matri", "--database-url", shop)
    assert failed.code == 2
    assert "1 'The Matrix', 2 'The Matrix Reloaded'" in failed.error()


@pytest.mark.parametrize(
    "text",
    ["999", "Nothing", "", "0", "9" * 30, "_", "x'; drop table recsys.items; --", "🦖" * 5000],
    ids=["id", "title", "empty", "zero", "huge", "wildcard", "injection", "long"],
)
def test_an_unknown_item_is_an_error_and_never_an_empty_list(cli, shop, text):
    failed = cli("similar", text, "--database-url", shop)
    assert failed.code == 1
    assert len(failed.error()) < 400


@pytest.mark.parametrize("arguments", [("999",), ("ann",), ("nobody", "--external"), ("9" * 30,)])
def test_an_unknown_user_is_an_error_and_never_an_empty_list(cli, shop, arguments):
    failed = cli("recommend", *arguments, "--database-url", shop)
    assert failed.code == 1
    assert "user" in failed.error().lower()


def test_prices_the_wrong_way_round_are_a_wrong_argument(cli, shop):
    failed = cli("popular", "--min-price", "5", "--max-price", "1", "--database-url", shop)
    assert failed.code == 2
    assert "min_price 5 is above max_price 1" in failed.error()


def test_since_counts_only_what_happened_from_then_on(cli, shop):
    assert len(ids(cli("popular", "--since", "2020-01-01", "--json", "--database-url", shop))) == 5
    future = cli("popular", "--since", "2999-01-01", "--database-url", shop)
    assert future.code == 2
    assert "future" in future.error()


def test_titles_with_control_characters_and_markup_stay_on_their_line(cli, shop):
    listed = cli("popular", "--category", "Drama", "--category", "Comedy", "--database-url", shop)
    assert "\x1b" not in listed.out
    assert len(listed.out.splitlines()) == 5
    assert "Amélie 🎬 [bold]" in listed.out


def test_search_finds_by_meaning(start_cli, film_url):
    process = start_cli(
        "search", "robots hunt a hacker in a simulated world", "--json", "--database-url", film_url
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert '"The Matrix"' in out


def test_search_refuses_a_model_that_is_not_the_databases(cli, film_url, monkeypatch):
    class Stranger:
        name, revision, dimensions = "stranger", "1", 384

    monkeypatch.setattr("recsys_pg.cli.embedder.load_embedder", Stranger)
    failed = cli("search", "robots", "--database-url", film_url)
    assert failed.code == 1
    assert "stranger" in failed.error()


def test_a_category_that_no_item_has_is_told(cli, shop):
    listed = cli("popular", "--category", "Dramma", "--category", "Drama", "--json", "--database-url", shop)
    assert set(ids(listed)) == {5, 8}
    assert listed.err == "No item has the category 'Dramma'.\n"
