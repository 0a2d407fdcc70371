"""`recsys-pg recall`, `recsys-pg calibrate`, and what `recsys-pg doctor` says of recall."""

import pytest

ROW = "insert into recsys.recall_checks values (%s, %s, 'index_walk', 10, 3000, %s, %s, 0, %s, 1)"


def doctor(cli):
    """What doctor finds about recall."""
    return [each for each in cli("doctor", "--json").json if each["check"] == "recall"]


def test_recall_prints_a_table_and_json_and_is_kept(cli, other):
    shown = cli("recall", "--sample", "40")
    assert shown.code == 0
    assert shown.out.splitlines()[0].split()[:4] == ["items", "that", "pass", "strategy"]
    assert "100 %" in shown.out
    rows = cli("recall", "--sample", "20", "-n", "5", "--json").json
    assert sum(row["searches"] for row in rows) == 20
    assert other.execute(
        "select sum(searches) from recsys.recall_checks group by checked_at order by checked_at"
    ).fetchall() == [
        (40,),
        (20,),
    ]


def test_doctor_tells_the_least_recall_of_a_good_check(cli, other):
    for band, recall in (("100 %", 0.995), ("1 to 3 %", 1)):
        other.execute(ROW, ("2026-01-02", band, 10, recall, 0))
    (found,) = doctor(cli)
    assert found["level"] == "ok"
    assert "0.995 in every band on 2026-01-02" in found["message"]


def test_doctor_hints_at_the_check_where_there_was_none(cli):
    (found,) = doctor(cli)
    assert found["level"] == "ok"
    assert "recsys-pg recall" in found["message"]


def test_doctor_warns_of_a_band_below_99_percent(cli, other):
    for day, band, searches, recall in [
        ("2026-01-01", "1 to 3 %", 10, 0.5),
        ("2026-01-02", "100 %", 10, 0.95),
        ("2026-01-02", "10 to 50 %", 10, 0.995),
    ]:
        other.execute(ROW, (day, band, searches, recall, 0))
    (found,) = doctor(cli)
    assert found["level"] == "warn"
    assert "0.950 where 100 % of items pass" in found["message"]
    assert "2026-01-02" in found["message"]
    assert "10 to 50" not in found["message"]
    assert "1 to 3" not in found["message"]
    for remedy in ("recsys-pg calibrate", "search.ef_search", "recsys-pg indexes"):
        assert remedy in found["remedy"]


def test_doctor_warns_of_missing_rows(cli, other):
    other.execute(ROW, ("2026-01-02", "100 %", 10, 1, 3))
    (found,) = doctor(cli)
    assert found["level"] == "warn"
    assert "3 rows too few" in found["message"]


def test_a_bad_recall_points_at_the_doctor(cli, other):
    other.execute(
        """
        create or replace function recsys_api._search(
            query vector, k integer, filter recsys_api.filter,
            out ids bigint[], out distances double precision[], out steps recsys_api.search_step[])
        returns record language plpgsql stable set search_path from current as $$
        begin
            steps := recsys_api._add_step(null, 'exact', 0, 0, clock_timestamp());
        end $$
        """
    )
    assert "recsys-pg doctor" in cli("recall", "--sample", "8").out
    assert {each["level"] for each in doctor(cli)} == {"warn"}


def test_calibrate_shows_before_and_after(cli, settings):
    before = settings()
    shown = cli("calibrate", "--searches", "20", "--dry-run")
    assert shown.code == 0
    assert shown.out.splitlines()[0].split() == ["setting", "before", "after", "measured"]
    assert "Nothing was written." in shown.out
    assert settings() == before
    written = cli("calibrate", "--searches", "20", "--recall", "0.99", "--json").json
    assert written["is_written"]
    for row in written["settings"]:
        assert row["before"] == before[row["key"]]
        assert settings()[row["key"]] == row["after"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("calibrate", "--recall", "1.2"),
        ("calibrate", "--searches", "1"),
        ("recall", "--sample", "0"),
        ("recall", "-n", "1001"),
    ],
)
def test_an_argument_out_of_range_is_a_usage_error(cli, arguments):
    failed = cli(*arguments)
    assert failed.code == 2
    assert arguments[1] in failed.err
    assert len(failed.err.splitlines()) == 1


def test_a_shop_without_vectors_is_one_line(cli, other):
    other.execute("delete from recsys.items")
    for command in ("recall", "calibrate"):
        failed = cli(command)
        assert failed.code in (1, 2)
        assert "o item has an embedding" in failed.err
        assert len(failed.err.splitlines()) == 1
