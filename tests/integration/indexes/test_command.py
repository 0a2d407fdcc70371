"""`recsys-pg indexes` and what `recsys-pg doctor` says of search indexes."""

import pytest

from recsys_pg.indexes import build_for, listing
from recsys_pg.types import ItemFilter


@pytest.fixture
def sampled(other_session):
    """Three categories whose searches were slow."""
    for category in ("c3", "c4", "c5"):
        other_session.execute(
            "select recsys_api._sample_filter(recsys_api.item_filter(array[%s]), 'code_scan', null, 500)"
            " from generate_series(1, 5)",
            (category,),
        )


def check(cli):
    """What doctor finds in its two checks of indexes: pairs of level and message."""
    return [
        (finding["level"], finding["message"])
        for finding in cli("doctor", "--json").json
        if finding["check"] in ("indexes", "search indexes")
    ]


def test_without_anything_it_says_so(cli):
    outcome = cli("indexes")
    assert outcome.code == 0
    assert "No partial index was built yet." in outcome.out
    assert "No filtered search was sampled yet" in outcome.out


def test_it_proposes_builds_lists_and_drops(cli, sampled, shop):
    proposed = cli("indexes")
    assert proposed.out.count("category c") == 3
    assert "From 15 sampled searches" in proposed.out
    names = [each["index_name"] for each in cli("indexes", "--json").json["advice"]]
    assert len(names) == 3

    one = cli("indexes", "build", names[1])
    assert one.code == 0
    assert names[1] in one.out
    assert "keep: new" in one.out
    assert [index.index_name for index in listing(shop)] == [names[1]]

    rest = cli("indexes", "build", "--all", "--memory", "64", "--workers", "0", "--json")
    assert {index["index_name"] for index in rest.json} == {names[0], names[2]}
    assert {index["state"] for index in rest.json} == {"ready"}
    assert cli("indexes", "--json").json["advice"] == []
    assert "Nothing to build" in cli("indexes", "build", "--all").out

    dropped = cli("indexes", "drop", names[0], names[2])
    assert (dropped.code, dropped.out) == (0, f"Dropped {names[0]}.\nDropped {names[2]}.\n")
    assert [index["index_name"] for index in cli("indexes", "--json").json["indexes"]] == [names[1]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build",), "Name the indexes to build, or pass --all"),
        (("build", "x", "--all"), "Name the indexes to build, or pass --all"),
        (("build", "x"), "No index 'x' is proposed or was interrupted. To be built are: items_embedding_"),
        (("build", "--all", "--memory", "0"), "Invalid value for '--memory'"),
        (("drop",), "Missing argument 'NAME...'"),
        (("drop", "x"), "There is no partial index 'x'. There is none."),
    ],
)
def test_a_wrong_argument_is_named(cli, sampled, arguments, said):
    outcome = cli("indexes", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_interrupted_build_is_completed_by_name(cli, shop, other_session):
    index = build_for(shop, ItemFilter(categories=("c3",)))
    other_session.execute("update recsys.search_indexes set is_ready = false")
    assert "build: its build was interrupted" in cli("indexes").out
    outcome = cli("indexes", "build", index.index_name)
    assert outcome.code == 0
    assert listing(shop)[0].state == "ready"


def test_invalid_indexes_of_others_are_named(cli, shop, other_session):
    other_session.execute(
        "update pg_index set indisvalid = false where indexrelid = 'recsys.items_tags_idx'::regclass"
    )
    assert "recsys.items_tags_idx is invalid and not ours" in cli("indexes").out
    assert ("fail", "Index recsys.items_tags_idx is invalid and not used.") in check(cli)


def test_doctor_is_content_with_ready_indexes(cli, shop):
    assert check(cli) == [("ok", "All are valid."), ("ok", "None was built.")]
    build_for(shop, ItemFilter(categories=("c3",)))
    assert check(cli) == [("ok", "All are valid."), ("ok", "1, all ready.")]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            "update pg_index set indisvalid = false where indexrelid = 'recsys.{}'::regclass",
            "The build of {} was interrupted",
        ),
        ("update recsys.search_indexes set is_ready = false", "The build of {} was interrupted"),
        ("drop index recsys.{}", "The index {} is recorded, but somebody dropped it."),
        ("update recsys.filter_rules set canonical = 'true'", "The rule of the index {} has changed"),
    ],
)
def test_doctor_warns_of_an_index_that_searches_do_not_use(cli, shop, other_session, spoil, said):
    name = build_for(shop, ItemFilter(rule="third")).index_name
    other_session.execute(spoil.format(name).encode())
    (_, (level, message)) = check(cli)
    assert level == "warn"
    assert message.startswith(said.format(name))
    assert check(cli)[0] == ("ok", "All are valid.")


def test_the_report_shows_the_indexes_to_bi_tools(shop, other_session):
    name = build_for(shop, ItemFilter(categories=("c3",))).index_name
    other_session.execute("set role recsys_reporter")
    assert other_session.execute(
        "select index_name, category, state, rows, scans from recsys_report.search_indexes"
    ).fetchall() == [(name, "c3", "ready", 450, 0)]
