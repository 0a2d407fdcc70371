"""Scenarios and the options that steer a list, from the command line."""

import re
import tomllib

import pytest


def test_a_scenario_is_defined_shown_applied_and_dropped(cli, own_shop, tmp_path):
    def scenarios(*arguments):
        return cli("scenarios", *arguments, "--database-url", own_shop)

    def recommended(*arguments):
        return cli("recommend", "1", "-n", "3", *arguments, "--json", "--database-url", own_shop).json

    assert "No scenario is defined" in scenarios().out
    file = tmp_path / "home.toml"
    file.write_text("diversity = 0.5\n\n[[pins]]\nitem_id = 5\nplace = 2\n")
    assert scenarios("define", "home", str(file)).out == "Scenario home: diversity 0.5, 1 pin\n"
    assert scenarios("show", "home").out == file.read_text().replace("item_id = 5", 'external_id = "sku-5"')
    assert "diversity 0.5, 1 pin" in scenarios().out
    assert scenarios("--json").json["home"]["pins"] == [{"item_id": 5, "place": 2}]
    rows = recommended("--scenario", "home")
    assert (rows[1]["item_id"], rows[1]["placement"], rows[1]["reason"]) == (5, "pin", "pinned")
    page = recommended("--scenario", "home", *(f"--shown={row['item_id']}" for row in rows))
    assert [row["rank"] for row in page] == list(range(4, 4 + len(page)))
    assert not {row["item_id"] for row in rows} & {row["item_id"] for row in page}
    assert scenarios("drop", "home").out == "Dropped scenario home.\n"
    assert scenarios("--json").json == {}


def test_the_file_that_the_help_shows_can_be_copied(cli, own_shop, tmp_path):
    shown = cli("scenarios", "define", "--help").out
    example = re.search(r"Such a file:\s*\n(.*?)\n\s*\n", shown, re.DOTALL)
    assert example is not None
    text = "\n".join(line.strip() for line in example[1].splitlines())
    assert set(tomllib.loads(text)) > {"filter", "boosts", "pins"}
    file = tmp_path / "copied.toml"
    file.write_text(text.replace("item_id = 50", "item_id = 5"))
    assert "1 boost, 1 pin" in cli("scenarios", "define", "copied", str(file), "--database-url", own_shop).out


def test_a_pin_names_its_item_by_external_id(cli, own_shop, tmp_path):
    file = tmp_path / "home.toml"
    file.write_text("[[pins]]\nexternal_id = 'sku-5'\nplace = 2\n")
    defined = cli("scenarios", "define", "home", str(file), "--json", "--database-url", own_shop)
    assert defined.json["scenario"]["pins"] == [{"item_id": 5, "place": 2}]
    # what is shown can be defined in another database, where the ids are others
    assert cli("scenarios", "show", "home", "--database-url", own_shop).out == (
        '[[pins]]\nexternal_id = "sku-5"\nplace = 2\n'
    )
    assert "place by" in cli("recommend", "1", "--scenario", "home", "--database-url", own_shop).out
    assert "place by" not in cli("recommend", "1", "--database-url", own_shop).out
    file.write_text("[[pins]]\nplace = 2\n")
    assert (
        "item_id or external_id"
        in cli("scenarios", "define", "home", str(file), "--database-url", own_shop).error()
    )
    file.write_text("[[pins]]\nexternal_id = 'sku-99'\nplace = 2\n")
    assert "'sku-99'" in cli("scenarios", "define", "home", str(file), "--database-url", own_shop).error()


def test_an_explanation_shows_what_damping_does(cli, shop):
    arguments = ("recommend", "1", "--popularity-damping", "0.5", "--explain", "--database-url", shop)
    assert "popularity damping" in cli(*arguments).out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("recommend", "1", "--scenario", "x"), 1, "there is no scenario 'x'"),
        (("recommend", "1", "--rotation", "2"), 2, "rotation"),
        (("recommend", "1", "--rotation-half-life", "nan"), 2, "no length of time"),
        (("recommend", "1", "--rotation-half-life", "-1"), 2, "rotation_half_life is"),
        (("recommend", "1", "--shown", "nothing"), 1, "nothing"),
        (("scenarios", "show", "x"), 1, "no scenario 'x'"),
        (("scenarios", "drop", "x"), 1, "no scenario 'x'"),
        (("scenarios", "define", "x", "nothing.toml"), 2, "nothing.toml cannot be read"),
    ],
)
def test_what_is_wrong_is_one_line(cli, shop, arguments, code, message):
    failed = cli(*arguments, "--database-url", shop)
    assert message in failed.error()
    assert failed.code == code
