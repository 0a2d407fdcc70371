"""RecBole's atomic files are read with their types; MovieLens among them is recognized."""

import zipfile
from datetime import UTC, datetime

import pytest

from recsys_pg.errors import InvalidArgumentError, InvalidRecordError
from recsys_pg.importing import open_dataset, read_interactions, read_items, read_users
from recsys_pg.types import InteractionRecord, ItemRecord, UserRecord

FILMS = """\
item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
127\tGodfather, The\t1972\tAction Crime Drama
267\tunknown\tunknown\t
1412\tLand Before Time III (1995)\tV\tAnimation Children's
"""
PEOPLE = "user_id:token\tage:float\tzip_code:token\n1\t24\t85711\n"
RATINGS = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t127\t3\t881250949\n"


@pytest.fixture
def folder(tmp_path):
    for ending, content in (("item", FILMS), ("user", PEOPLE), ("inter", RATINGS)):
        (tmp_path / f"ml.{ending}").write_text(content, encoding="utf-8")
    return tmp_path


def test_a_folder_of_atomic_files_is_a_dataset(folder):
    dataset = open_dataset(folder)
    assert list(dataset.items) == [
        (
            2,
            ItemRecord(
                external_id="127",
                title="The Godfather",
                category="Action",
                tags=("Action", "Crime", "Drama"),
                attributes={"year": 1972},
            ),
        ),
        (3, ItemRecord(external_id="267", title="unknown", attributes={"year": None})),
        (
            4,
            ItemRecord(
                external_id="1412",
                title="Land Before Time III",
                category="Animation",
                tags=("Animation", "Children's"),
                attributes={"year": 1995},
            ),
        ),
    ]
    assert list(dataset.users) == [
        (2, UserRecord(external_id="1", attributes={"age": 24.0, "zip_code": "85711"}))
    ]
    assert list(dataset.interactions) == [
        (
            2,
            InteractionRecord(
                kind="rating",
                user_external_id="196",
                item_external_id="127",
                value=3.0,
                occurred_at=datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC),
            ),
        )
    ]


def test_a_wheel_that_ships_them_is_read_without_unpacking(folder, tmp_path):
    wheel = tmp_path / "recbole-1.2.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("ml.item", "ml.user", "ml.inter"):
            archive.write(folder / name, f"recbole/dataset_example/ml/{name}")
        archive.writestr("recbole/properties/quick.yaml", "")
    dataset = open_dataset(wheel)
    assert list(dataset.items) == list(read_items(folder))
    assert list(dataset.users) == list(read_users(folder))
    assert list(dataset.interactions) == list(read_interactions(folder))


def test_a_single_file_is_read_by_its_ending(folder):
    dataset = open_dataset(folder / "ml.inter")
    assert (dataset.items, dataset.users) == (None, None)
    assert len(list(dataset.interactions)) == 1


def test_columns_beyond_the_fields_become_attributes_of_their_types(tmp_path):
    path = tmp_path / "shop.item"
    path.write_text(
        "item_id:token\ttitle:token_seq\tcategories:token_seq\tsizes:float_seq\tcolors:token_seq\tprice:float\n"
        "B01\tSay \"hi\", The\t'Toys & Games', 'Puzzles'\t1 2.5\tred blue\t9.5\n",
        encoding="utf-8",
    )
    [(_, item)] = read_items(path)
    assert item.title == 'Say "hi", The'
    assert item.tags == ("Toys & Games", "Puzzles")
    assert item.attributes == {"sizes": [1.0, 2.5], "colors": ["red", "blue"]}
    assert str(item.price) == "9.5"


def test_a_mapping_wins(folder):
    source = read_items(folder, mapping={"title": "item_id", "attributes.film": "movie_title"}, attributes=())
    titles = [(item.title, item.attributes["film"]) for _, item in source]
    assert titles[0] == ("127", "The Godfather")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("item_id\ttitle:token_seq\n", "column 'item_id' has no type that RecBole knows"),
        ("item_id:token\ttitle:words\n", "column 'title:words' has no type"),
        ("item_id:token\ttitle:token\tprice:float\n1\ta\tcheap\n", "line 2: price is 'cheap', not a number"),
        ("item_id:token\ttitle:token\tprice:float\n1\ta\n", "line 2: it has 2 fields instead of 3"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, content, message):
    (tmp_path / "x.item").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidRecordError, match=message):
        list(read_items(tmp_path / "x.item"))


def test_two_files_of_the_same_content_are_refused(folder):
    (folder / "ml.test.inter").write_text(RATINGS, encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match=r"Both ml\.inter and ml\.test\.inter hold interactions"):
        open_dataset(folder)
