"""What a path holds is told by the names of the files."""

import zipfile

import pytest

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing import detect, open_dataset

ITEMS = "item_id,title\n1,a\n"
LOG = "user_id,item_id,kind\na,1,view\n"


def fill(folder, **files):
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def test_a_folder_of_named_tables_is_a_dataset(tmp_path):
    fill(tmp_path, Products__csv=ITEMS, events__csv=LOG, notes__csv="whatever")
    dataset = open_dataset(tmp_path)
    assert (dataset.items.file, dataset.users, dataset.interactions.file) == (
        "Products.csv",
        None,
        "events.csv",
    )


def test_a_lone_file_may_have_any_name(tmp_path):
    fill(tmp_path, export__csv=ITEMS, feed__txt="sku\tname\n1\ta\n")
    assert open_dataset(tmp_path / "export.csv", content="items").items is not None
    assert list(open_dataset(tmp_path / "feed.txt", content="items", format="tsv").items)
    with pytest.raises(InvalidArgumentError, match=r"export\.csv does not say by its name"):
        open_dataset(tmp_path / "export.csv")


def test_one_content_of_a_folder_can_be_mapped(tmp_path):
    fill(tmp_path, items__csv="item_id,label\n1,a\n", interactions__csv=LOG)
    source = open_dataset(tmp_path, content="items", mapping={"title": "label"}).items
    assert [item.title for _, item in source] == ["a"]
    with pytest.raises(InvalidArgumentError, match="a mapping or a list of attributes is for one of them"):
        open_dataset(tmp_path, mapping={"title": "label"})


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.csv", "csv"),
        ("a.CSV.gz", "csv"),
        ("a.tsv", "tsv"),
        ("a.ndjson", "jsonl"),
        ("a.parquet", "parquet"),
    ],
)
def test_a_file_is_known_by_its_ending(tmp_path, name, format):
    (tmp_path / name).write_bytes(b"")
    assert detect(tmp_path / name) == format


def test_what_is_not_known_is_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="does not exist"):
        detect(tmp_path / "missing.csv")
    with pytest.raises(InvalidArgumentError, match="no data set that is known"):
        detect(fill(tmp_path, README__txt="hello"))
    fill(tmp_path, items__csv=ITEMS)
    with pytest.raises(InvalidArgumentError, match="no files of the format parquet"):
        open_dataset(tmp_path, format="parquet")
    with pytest.raises(InvalidArgumentError, match=r"There are no users among items\.csv"):
        open_dataset(tmp_path, content="users")


def test_two_formats_in_a_folder_are_refused_unless_one_is_chosen(tmp_path):
    fill(tmp_path, items__csv=ITEMS, items__jsonl='{"item_id": 1, "title": "a"}\n')
    with pytest.raises(InvalidArgumentError, match=r"more than one data set: csv in .*; jsonl in"):
        detect(tmp_path)
    assert open_dataset(tmp_path, format="csv").items.file == "items.csv"


def test_two_folders_in_an_archive_are_refused(tmp_path):
    path = tmp_path / "shops.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("north/items.csv", ITEMS)
        archive.writestr("south/items.csv", ITEMS)
    with pytest.raises(InvalidArgumentError, match="csv in north; csv in south"):
        detect(path)
