"""Calibration against a real shop: what it writes, and that nothing else changes."""

import threading

import pytest

from recsys_pg.calibration import calibrate
from recsys_pg.errors import DatabaseError, InvalidArgumentError, ReadOnlyDatabaseError

KEYS = ["search.ef_search", "search.rerank", "search.exact_limit", "search.scan_limit"]


def test_what_was_measured_is_what_is_written(shop, settings, other):
    other.execute("update recsys.settings set value = '20' where key = 'search.ef_search'")
    before = settings()
    found = calibrate(shop, searches=30)
    assert [each.key for each in found] == KEYS
    for each in found:
        assert each.before == before[each.key]
        assert settings()[each.key] == each.after
        assert each.reason
    breadth = found[0]
    assert breadth.after >= 40
    assert "recall" in breadth.reason
    assert "with 20" in breadth.reason
    assert settings().keys() == before.keys()
    assert {key: value for key, value in settings().items() if key not in KEYS} == {
        key: value for key, value in before.items() if key not in KEYS
    }


def test_the_breadth_is_the_smallest_of_the_ladder_that_reaches_the_recall(shop, other):
    other.execute("update recsys.settings set value = '20' where key = 'search.ef_search'")
    low = calibrate(shop, recall=0.5, searches=30, dry_run=True)[0]
    high = calibrate(shop, recall=1, searches=30, dry_run=True)[0]
    assert 40 <= low.after < high.after


def test_a_recall_that_no_breadth_reaches_gives_the_last_and_says_so(shop, monkeypatch):
    monkeypatch.setattr("recsys_pg.calibration.ladder.BREADTHS", (40, 41))
    breadth = calibrate(shop, recall=1, searches=60, dry_run=True)[0]
    assert breadth.after == 41
    assert "still below 1: rebuild items_embedding_idx" in breadth.reason


def test_a_dry_run_writes_nothing(shop, settings):
    before = settings()
    found = calibrate(shop, searches=20, dry_run=True)
    assert any(each.after != each.before for each in found)
    assert settings() == before


@pytest.mark.parametrize("phase", ["Exact answers", "Breadth of walks", "Vectors after a scan", "Limits"])
def test_an_interrupted_run_changes_nothing_and_the_next_one_works(shop, settings, phase):
    before = settings()

    def interrupt(current, done, total):
        if current == phase and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(shop, recall=1, searches=20, progress=interrupt)
    assert settings() == before
    calibrate(shop, searches=20, dry_run=True)


def test_others_see_the_settings_as_they_were_while_it_measures(shop, settings):
    before = settings()
    seen = []
    calibrate(shop, searches=20, progress=lambda *_: seen.append(settings()), dry_run=True)
    assert seen
    assert all(each == before for each in seen)


def test_searches_made_meanwhile_are_not_sampled(shop, other):
    other.execute("update recsys.settings set value = '1' where key = 'search.sample_share'")
    calibrate(shop, searches=20)
    assert other.execute("select count(*) from recsys.filter_samples").fetchone() == (0,)


def test_two_calibrations_do_not_run_at_once(shop):
    started, refused = threading.Event(), threading.Event()

    def hold(*_):
        started.set()
        refused.wait(30)

    first = threading.Thread(
        target=calibrate, args=(shop,), kwargs={"searches": 20, "dry_run": True, "progress": hold}
    )
    first.start()
    try:
        assert started.wait(30)
        with pytest.raises(DatabaseError, match="Another process calibrates"):
            calibrate(shop, searches=20)
    finally:
        refused.set()
        first.join()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"recall": 1.5}, "1.5"),
        ({"recall": 0.1}, "0.1"),
        ({"searches": 5}, "5"),
        ({"searches": 5000}, "5000"),
    ],
)
def test_arguments_out_of_range_are_named(shop, arguments, named):
    with pytest.raises(InvalidArgumentError, match=named):
        calibrate(shop, **arguments)


def test_without_embedded_items_there_is_nothing_to_measure(engine):
    with pytest.raises(InvalidArgumentError, match="No item has an embedding"):
        calibrate(engine)


def test_a_catalogue_of_few_items_keeps_what_it_does_not_show(shop, other, settings):
    other.execute("delete from recsys.items where id >= 50")
    depth = calibrate(shop, searches=20)[1]
    assert depth.after == depth.before
    assert "not measured" in depth.reason


def test_a_read_only_database_is_named(shop, other):
    other.execute("alter database " + other.info.dbname + " set default_transaction_read_only = on")
    shop.dispose()
    with pytest.raises(ReadOnlyDatabaseError):
        calibrate(shop, searches=20)
