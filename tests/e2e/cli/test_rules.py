"""The rules of the application, from the command line."""

import psycopg
import pytest

from recsys_pg import db


def execute(url, statement):
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        connection.execute(statement)


def findings(cli, url, check):
    examined = cli("doctor", "--json", "--database-url", url).json
    return [finding for finding in examined if finding["check"] == check]


def test_a_rule_is_defined_listed_applied_changed_and_dropped(cli, own_shop):
    def rules(*arguments):
        return cli("rules", *arguments, "--database-url", own_shop)

    assert "No rule is defined" in rules().out
    defined = rules("define", "affordable", "item.price < 10")
    assert defined.out == "Rule affordable: (item.price < (10)::numeric)\n"
    assert rules("--json").json == [
        {"name": "affordable", "predicate": "item.price < 10", "problem": None, "remedy": None}
    ]
    assert "item.price < 10" in rules().out
    popular = cli("popular", "--rule", "affordable", "--json", "--database-url", own_shop).json
    assert {row["item_id"] for row in popular} == {3, 4, 5, 6, 7}
    changed = rules("define", "affordable", "item.price < 8", "--json").json
    assert changed["canonical"] == "(item.price < (8)::numeric)"
    popular = cli("popular", "--rule", "affordable", "--json", "--database-url", own_shop).json
    assert {row["item_id"] for row in popular} == {3, 4}
    assert rules("drop", "affordable").out == "Dropped rule affordable.\n"
    assert rules("--json").json == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("rules", "define", "x", "item.color = 'red'"), 2, "column item.color does not exist"),
        (("rules", "define", "x", "random() < 0.5"), 2, "calls random(), which is volatile"),
        (("rules", "define", "Two words", "true"), 2, "'Two words' is no name of a rule"),
        (("rules", "drop", "x"), 1, "there is no rule 'x'"),
        (("popular", "--rule", "x"), 1, "there is no rule 'x'"),
    ],
)
def test_what_is_wrong_with_a_rule_is_one_line(cli, shop, arguments, code, message):
    failed = cli(*arguments, "--database-url", shop)
    assert failed.code == code
    assert message in failed.error()


def test_doctor_and_the_list_find_a_rule_whose_table_is_gone(cli, own_shop):
    assert findings(cli, own_shop, "rules")[0]["message"] == "None is defined."
    execute(own_shop, "create table public.bargains (item_id bigint)")
    predicate = "exists (select from public.bargains b where b.item_id = item.id)"
    cli("rules", "define", "bargain", predicate, "--database-url", own_shop)
    cli("rules", "define", "any", "true", "--database-url", own_shop)
    assert findings(cli, own_shop, "rules")[0]["level"] == "ok"
    execute(own_shop, "drop table public.bargains")
    (found,) = findings(cli, own_shop, "rules")
    assert found["level"] == "fail"
    assert found["message"].startswith("the rule bargain cannot be applied: ")
    assert "recsys_api.drop_rule" in found["remedy"]
    listed = cli("rules", "--database-url", own_shop).out
    assert 'relation "public.bargains" does not exist' in listed
