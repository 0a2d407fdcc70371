"""Importing vectors that a file has."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from recsys_pg.errors import InvalidRecordError
from recsys_pg.importing import import_dataset, open_dataset


def vector(number: int) -> list[float]:
    """A vector of its own for each number, not of unit length."""
    return np.random.default_rng(number).standard_normal(384).astype(np.float32).tolist()


def embedded(rows) -> dict[str, float | None]:
    """Of each item the cosine of its embedding to that of its number, None without one."""
    found = rows("select external_id, embedding::real[] from recsys.items")
    return {
        key: None
        if stored is None
        else round(float(np.dot(stored, vector(int(key)) / np.linalg.norm(vector(int(key))))), 5)
        for key, stored in found
    }


def vector_file(folder, ending, numbers):
    """A file of items with these numbers, whose embeddings are theirs; every third has none."""
    records = [
        {
            "sku": str(number),
            "title": f"item {number}",
            "embedding": None if number % 3 == 0 else vector(number),
        }
        for number in numbers
    ]
    path = folder / f"items.{ending}"
    if ending == "parquet":
        parquet.write_table(pa.Table.from_pylist(records), path)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, records[0].keys())
            writer.writeheader()
            writer.writerows(record | {"embedding": record["embedding"] or ""} for record in records)
    return open_dataset(path)


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_embeddings_that_a_file_has_are_stored_and_the_others_asked_for(
    engine, rows, tmp_path, ending, everything
):
    dataset = vector_file(tmp_path, ending, range(1, 8))
    import_dataset(engine, dataset)
    assert embedded(rows) == {str(n): None if n % 3 == 0 else 1.0 for n in range(1, 8)}
    assert rows("select count(*) from recsys.embedding_jobs") == [(2,)]
    before = everything()
    import_dataset(engine, dataset)
    assert everything() == before


def test_a_change_of_the_price_alone_writes_no_vector(engine, rows, tmp_path, import_text):
    import_dataset(engine, vector_file(tmp_path, "jsonl", range(1, 3)))
    before = rows("select embedding::text from recsys.items order by id")
    lines = [
        json.dumps({"sku": str(n), "title": f"item {n}", "price": 3, "embedding": vector(n)}) for n in (1, 2)
    ]
    assert import_text(tmp_path, "items.jsonl", "\n".join(lines)).items_updated == 2
    assert rows("select embedding::text from recsys.items order by id") == before


def test_a_new_text_with_a_new_embedding_has_both_and_without_one_is_embedded(
    engine, rows, tmp_path, import_text
):
    import_dataset(engine, vector_file(tmp_path, "jsonl", (1, 2)))
    rows("delete from recsys.embedding_jobs")
    lines = [
        json.dumps({"sku": "1", "title": "new", "embedding": vector(4)}),
        json.dumps({"sku": "2", "title": "new", "embedding": None}),
    ]
    import_text(tmp_path, "items.jsonl", "\n".join(lines))
    [(one,), (two,)] = rows("select embedding::real[] from recsys.items order by external_id")
    assert np.dot(one, vector(4)) / np.linalg.norm(vector(4)) == pytest.approx(1, abs=1e-5)
    assert two is None
    assert (2,) in rows(
        "select j.item_id - (select min(id) from recsys.items) + 1 from recsys.embedding_jobs j"
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], "embedding is 2 numbers, not 384"),
        ("many", "embedding is no list of numbers, not 384: 'many'"),
        ([[1.0]], "embedding is no list of numbers, not 384"),
        ([0.0] * 384, "embedding is zero or has a number that is not finite"),
        ([1e39] * 384, "embedding is zero or has a number that is not finite"),
    ],
)
def test_an_embedding_that_is_none_is_refused(rows, tmp_path, value, message, import_text):
    line = json.dumps({"sku": "1", "title": "one", "embedding": value})
    with pytest.raises(InvalidRecordError, match=message):
        import_text(tmp_path, "items.jsonl", line)
    assert rows("select count(*) from recsys.items") == [(0,)]


def test_a_first_load_of_many_vectors_builds_their_index_last(engine, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("recsys_pg.deferred_index._FEWEST", 5)
    index = "select to_regclass('recsys.items_embedding_idx') is not null"
    phases = {}

    def progress(phase, done, total):
        phases[phase] = rows(index)

    import_dataset(engine, vector_file(tmp_path, "jsonl", range(1, 20)), progress=progress)
    assert phases["writing items"] == [(False,)]
    assert rows(index) == [(True,)]
