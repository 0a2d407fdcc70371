"""The commands for trained models, as a person meets them."""

import psycopg


def test_without_a_model_it_says_how_to_get_one(cli, url):
    done = cli("model", "list", "--database-url", url)
    assert done.code == 0
    assert "recsys-pg train" in done.out


def test_models_are_listed_shown_and_switched(cli, own_shop):
    first = cli("train", "--json", "--database-url", own_shop).json["model_id"]
    second = cli("train", "--force", "--json", "--database-url", own_shop).json
    assert second["is_active"]
    listed = cli("model", "list", "--json", "--database-url", own_shop).json
    assert [(row["id"], row["is_active"]) for row in listed] == [(second["model_id"], True), (first, False)]
    table = cli("model", "--database-url", own_shop).out
    assert "active" in table
    assert "NDCG@20" in table

    back = cli("model", "rollback", "--database-url", own_shop)
    assert back.out.strip() == (
        f"Model {first} is active. Before it was model {second['model_id']}:"
        f" recsys-pg model activate {second['model_id']}."
    )
    forth = cli("model", "activate", str(second["model_id"]), "--json", "--database-url", own_shop).json
    assert forth == {"active": second["model_id"]}

    shown = cli("model", "show", str(first), "--database-url", own_shop)
    assert shown.code == 0, shown.err
    assert f"Model {first}, not active" in shown.out
    active = cli("model", "show", "--database-url", own_shop).out
    assert f"Model {second['model_id']}, active" in active
    assert cli("model", "show", str(first), "--json", "--database-url", own_shop).json["id"] == first


def test_prior_and_trend_are_shown(cli, own_shop):
    model_id = cli("train", "--json", "--database-url", own_shop).json["model_id"]
    before = cli("model", "show", str(model_id), "--database-url", own_shop).out
    assert "mean user" not in before
    assert "latest" not in before
    with psycopg.connect(own_shop) as connection:
        connection.execute(
            "update recsys.models set parameters = parameters || %s::jsonb where id = %s",
            (
                '{"prior": {"strength": 1.5, "fade": 4.0}, "trend": {"window": 0.1, "exponent": 0.5}}',
                model_id,
            ),
        )
    shown = " ".join(cli("model", "show", str(model_id), "--database-url", own_shop).out.split())
    assert "by what the mean user likes: 1.5 of a typical best score" in shown
    assert "half of that at likes that sum to 4." in shown
    assert "share of the latest 10 % of likes over its share of all, to the power of 0.5." in shown


def test_a_model_that_is_none_is_named(cli, own_shop):
    for command in ("show", "activate"):
        done = cli("model", command, "999", "--database-url", own_shop)
        assert done.code == 2
        assert "999" in done.err
        assert "recsys-pg model list" in done.err


def test_there_has_to_be_a_way_back(cli, url):
    done = cli("model", "rollback", "--database-url", url)
    assert done.code == 2
    assert "no trained model was active before" in done.err
