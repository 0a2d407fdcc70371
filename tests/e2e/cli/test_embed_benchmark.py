"""What embed-benchmark measures, by a real model on few texts."""

import pytest

from recsys_pg.embedding import measure_speed


def test_it_measures_and_tells_hours_for_a_million(cli):
    done = cli("embed-benchmark", "--texts", "16", "--threads", "1")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["precision", "threads", "tokens", "a", "pass", "texts/s", "least", "cosine"]
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["float32", "1", "1,024"],
        ["float32", "1", "256"],
        ["float32", "1", "4,096"],
        ["bfloat16", "1", "1,024"],
    ]
    assert "A million such texts take" in lines[6]


def test_every_way_keeps_the_vectors(cli):
    speeds = cli("embed-benchmark", "--texts", "16", "--json").json
    assert len(speeds) == 4
    assert all(speed["texts_per_second"] > 0 for speed in speeds)
    assert min(speed["least_cosine"] for speed in speeds) > 0.999


def test_progress_is_told():
    told = []
    measure_speed(["a text"] * 16, progress=lambda *call: told.append(call))
    assert told == [("measure", number, 4) for number in range(5)]


@pytest.mark.parametrize("option", [("--texts", "1"), ("--threads", "0")])
def test_numbers_out_of_range_are_refused(cli, option):
    assert cli("embed-benchmark", *option).code == 2
