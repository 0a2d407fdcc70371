"""The MovieLens data sets are read as GroupLens packs them."""

import gzip
import zipfile
from datetime import UTC, datetime

import pytest

from recsys_pg.errors import InvalidArgumentError, InvalidRecordError
from recsys_pg.importing import detect, open_dataset, read_items, read_users
from recsys_pg.types import InteractionRecord, ItemRecord, UserRecord

ML_100K = {
    "u.data": "196\t2\t3\t881250949\n",
    "u.genre": "unknown|0\nAction|1\nDrama|2\n\n",
    "u.user": "1|24|M|technician|85711\n",
    "u.item": (
        "1|Misérables, Les (1995)|01-Jan-1995||http://us.imdb.com/?a|0|0|1\n"
        "2|unknown||||1|0|0\n"
        "3|Heat (1995)|01-Jan-1995||http://us.imdb.com/?b|0|1|1\n"
    ),
}
ML_LATEST = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.5,964982703\n",
    "movies.csv": (
        "movieId,title,genres\n"
        "1,Toy Story (1995),Animation|Children\n"
        '2,"American President, The (1995)",(no genres listed)\n'
    ),
    "tags.csv": (
        "userId,movieId,tag,timestamp\n"
        "1,1,Pixar,1\n2,1,pixar,1\n3,1,fun,1\n4,1,children,1\n5,1,Children,1\n1,2,politics,1\n"
    ),
    "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n",
}


@pytest.fixture
def ml_100k(tmp_path):
    path = tmp_path / "ml-100k.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in ML_100K.items():
            archive.writestr(f"ml-100k/{name}", content.encode("latin-1"))
        archive.writestr("ml-100k/README", "")
    return path


@pytest.fixture
def ml_latest(tmp_path):
    folder = tmp_path / "ml-latest"
    folder.mkdir()
    for name, content in ML_LATEST.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    return folder


def test_ml_100k_is_read_from_its_zip(ml_100k):
    assert detect(ml_100k) == "grouplens"
    dataset = open_dataset(ml_100k)
    assert list(dataset.items) == [
        (
            1,
            ItemRecord(
                external_id="1",
                title="Les Misérables",
                category="Drama",
                tags=("Drama",),
                attributes={"year": 1995},
            ),
        ),
        (2, ItemRecord(external_id="2", title="unknown", attributes={"year": None})),
        (
            3,
            ItemRecord(
                external_id="3",
                title="Heat",
                category="Action",
                tags=("Action", "Drama"),
                attributes={"year": 1995},
            ),
        ),
    ]
    attributes = {"age": "24", "gender": "M", "occupation": "technician", "zip_code": "85711"}
    assert list(dataset.users) == [(1, UserRecord(external_id="1", attributes=attributes))]
    assert list(dataset.interactions) == [
        (
            1,
            InteractionRecord(
                kind="rating",
                user_external_id="196",
                item_external_id="2",
                value=3.0,
                occurred_at=datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC),
            ),
        )
    ]


def test_ml_latest_is_read_from_a_folder_of_gzipped_files(ml_latest):
    dataset = open_dataset(ml_latest)
    assert [item for _, item in dataset.items] == [
        ItemRecord(
            external_id="1",
            title="Toy Story",
            category="Animation",
            tags=("Animation", "Children", "pixar", "children"),
            attributes={"year": 1995},
        ),
        ItemRecord(external_id="2", title="The American President", attributes={"year": 1995}),
    ]
    assert dataset.users is None
    assert [(record.user_external_id, record.value) for _, record in dataset.interactions] == [("1", 4.5)]


def test_ml_latest_needs_no_tags(ml_latest):
    (ml_latest / "tags.csv.gz").unlink()
    assert next(iter(read_items(ml_latest)))[1].tags == ("Animation", "Children")


def test_one_content_can_be_taken_alone(ml_100k, ml_latest):
    assert open_dataset(ml_100k, content="users").items is None
    with pytest.raises(InvalidArgumentError, match="holds no users"):
        read_users(ml_latest)


def test_options_for_other_files_are_refused(ml_latest):
    with pytest.raises(InvalidArgumentError, match="columns are known"):
        open_dataset(ml_latest, mapping={"title": "genres"})


def test_files_that_only_look_like_grouplens_are_refused(ml_latest):
    (ml_latest / "movies.csv.gz").write_bytes(gzip.compress(b"id,name\n1,x\n"))
    with pytest.raises(InvalidArgumentError, match=r"movies\.csv\.gz has no column 'movieId'"):
        open_dataset(ml_latest)


def test_a_malformed_line_of_the_tags_is_refused(ml_latest):
    (ml_latest / "tags.csv.gz").write_bytes(gzip.compress(b"userId,movieId,tag,timestamp\n1,1\n"))
    with pytest.raises(InvalidRecordError, match=r"tags\.csv\.gz, line 2"):
        list(read_items(ml_latest))


def test_the_real_small_data_set_is_read_whole(shared_data):
    dataset = open_dataset(shared_data / "ml-latest-small")
    films = {item.external_id: item for _, item in dataset.items}
    assert len(films) == 9742
    assert films["858"].title == "The Godfather"
    assert films["858"].attributes == {"year": 1972}
    assert sum(1 for _ in dataset.interactions) == 100_836
