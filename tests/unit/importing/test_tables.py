"""CSV, TSV, JSON Lines and Parquet files are read as streams of records, line by line."""

import csv
import gzip
import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_pg.errors import InvalidArgumentError, InvalidRecordError
from recsys_pg.importing import read_interactions, read_items, read_users
from recsys_pg.types import InteractionRecord, ItemRecord, UserRecord

ITEMS = """\
item_id,title,description,genres,price,in_stock,brand
1,"Lamp, red","Says ""hello"";
on two lines",Light|Home,19.90,yes,Lumo
2,Stuhl 🪑,,,,no,
"""
STORABLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda text: not text.isspace()
)


def write(path, content, newline="\n", encoding="utf-8"):
    path.write_bytes(content.replace("\n", newline).encode(encoding))
    return path


def refused(source):
    """The lines of a source that hold no record, as (line, message), and the numbers of those that do."""
    lines = []
    kept = [line for line, _ in source.records(lambda invalid: lines.append((invalid.line, invalid.message)))]
    return lines, kept


def test_a_semicolon_separates_where_the_header_has_no_comma(tmp_path):
    source = read_items(write(tmp_path / "items.csv", 'sku;name;price\n1;"Lamp; red, large";19.90\n'))
    assert [record for _, record in source] == [
        ItemRecord(external_id="1", title="Lamp; red, large", price=Decimal("19.90"))
    ]
    with pytest.raises(InvalidArgumentError, match="no column for the title of items; it has id, a;b"):
        read_items(write(tmp_path / "items.csv", "id,a;b\n"))


def test_columns_that_fill_nothing_are_named(tmp_path):
    file = write(tmp_path / "orders.csv", "user_id,sku,bought,till\nann,1,2026-01-01,7\n")
    source = read_interactions(file, kind="purchase")
    assert (source.unused, "occurred_at" in source.fields) == (("bought", "till"), False)
    timed = read_interactions(file, kind="purchase", mapping={"occurred_at": "bought"})
    assert (timed.unused, "occurred_at" in timed.fields) == (("till",), True)
    items = write(tmp_path / "items.csv", "sku,name,brand,size\n")
    assert read_items(items, attributes=("brand",)).unused == ("size",)
    assert read_items(items, attributes="*").unused == ()


def test_csv_is_read_with_quotes_and_line_numbers(tmp_path):
    source = read_items(write(tmp_path / "items.csv", ITEMS), attributes=("brand",))
    assert list(source) == [
        (
            2,
            ItemRecord(
                external_id="1",
                title="Lamp, red",
                description='Says "hello";\non two lines',
                category="Light",
                tags=("Light", "Home"),
                price=Decimal("19.90"),
                in_stock=True,
                attributes={"brand": "Lumo"},
            ),
        ),
        (4, ItemRecord(external_id="2", title="Stuhl 🪑", in_stock=False, attributes={"brand": None})),
    ]
    assert list(source) == list(source), "a source can be read again"


@pytest.mark.parametrize(
    ("newline", "encoding"), [("\r\n", "utf-8"), ("\n", "utf-8-sig"), ("\r\n", "utf-8-sig")]
)
def test_csv_may_have_windows_line_ends_and_a_byte_order_mark(tmp_path, newline, encoding):
    path = write(tmp_path / "users.csv", "user_id,city\nanna,Köln\nben,\n", newline, encoding)
    assert list(read_users(path, attributes="*")) == [
        (2, UserRecord(external_id="anna", attributes={"city": "Köln"})),
        (3, UserRecord(external_id="ben", attributes={"city": None})),
    ]


def test_gzipped_and_zipped_files_are_read_alike(tmp_path):
    plain = write(tmp_path / "items.csv", ITEMS)
    zipped = tmp_path / "shop.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.write(plain, "export/items.csv")
        files.writestr("__MACOSX/export/._items.csv", b"\0\5")
    records = list(read_items(plain))
    assert list(read_items(zipped)) == records
    assert list(read_items(archive)) == records


def test_tsv_takes_tabs(tmp_path):
    path = write(tmp_path / "items.tsv", "sku\tname\nA-1\tTable, round\n")
    assert list(read_items(path)) == [(2, ItemRecord(external_id="A-1", title="Table, round"))]


def test_a_megabyte_of_text_is_read(tmp_path):
    text = "long 'text'; " * 80_000
    path = write(tmp_path / "items.csv", f'item_id,title,description\n1,x,"{text}"\n')
    [(_, item)] = read_items(path)
    assert item.description == text


def test_json_lines_keep_types_and_lists(tmp_path):
    lines = [
        {"item_id": 7, "title": "Sieben", "tags": ["a, b", "c"], "price": 1.1, "size": {"w": 2}},
        {"item_id": "8", "title": "Acht", "created_at": "2026-01-02"},
    ]
    path = write(tmp_path / "items.jsonl", "\n\n".join(json.dumps(line) for line in lines))
    assert list(read_items(path, attributes=("size",))) == [
        (
            1,
            ItemRecord(
                external_id="7",
                title="Sieben",
                tags=("a, b", "c"),
                price=Decimal("1.1"),
                attributes={"size": {"w": 2}},
            ),
        ),
        (
            3,
            ItemRecord(
                external_id="8",
                title="Acht",
                attributes={"size": None},
                created_at=datetime(2026, 1, 2, tzinfo=UTC),
            ),
        ),
    ]


def test_parquet_is_read_by_row(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table(
        {
            "customer_id": [17850.0, None, float("nan")],
            "stock_code": ["85123A", "71053", "71054"],
            "invoiced_at": pa.array([datetime(2010, 12, 1, 8, 26)] * 3, pa.timestamp("ns")),  # noqa: DTZ001
        }
    )
    parquet.write_table(table, tmp_path / "lines.parquet")
    mapping = {
        "user_external_id": "customer_id",
        "item_external_id": "stock_code",
        "occurred_at": "invoiced_at",
    }
    source = read_interactions(tmp_path / "lines.parquet", mapping=mapping, kind="purchase")
    lines, _ = refused(source)
    assert lines == [(2, "customer_id is empty."), (3, "customer_id is empty.")]
    assert next(iter(source)) == (
        1,
        InteractionRecord(
            kind="purchase",
            user_external_id="17850",
            item_external_id="85123A",
            occurred_at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
        ),
    )


def test_the_kind_comes_from_a_column_a_constant_or_the_rating(tmp_path):
    log = write(tmp_path / "log.csv", "user_id,item_id,event_type,rating\na,1,view,\n")
    assert [record.kind for _, record in read_interactions(log)] == ["view"]
    with pytest.raises(InvalidArgumentError, match="'click' is given, and the column 'event_type'"):
        read_interactions(log, kind="click")
    stars = write(tmp_path / "stars.csv", "user_id,item_id,rating\na,1,4\n")
    assert [(record.kind, record.value) for _, record in read_interactions(stars)] == [("rating", 4.0)]
    bare = write(tmp_path / "bare.csv", "user_id,item_id\na,1\n")
    with pytest.raises(InvalidArgumentError, match="what kind of interactions"):
        read_interactions(bare)
    with pytest.raises(InvalidArgumentError, match="'view' is given, and the column 'event_type'"):
        read_interactions(log, kind="view", mapping={"kind": "event_type"})


def test_ids_of_the_database_are_mapped(tmp_path):
    path = write(tmp_path / "log.csv", "user_id,item_id\n5,6\n")
    source = read_interactions(path, kind="view", mapping={"user_id": "user_id", "item_id": "item_id"})
    assert list(source) == [(2, InteractionRecord(kind="view", user_id=5, item_id=6))]


CSV_HEAD = "item_id,title,price,created_at\n1,good,1,0\n"


@pytest.mark.parametrize(
    ("name", "content", "line", "message"),
    [
        ("items.csv", CSV_HEAD + "2,short\n", 3, "it has 2 fields instead of 4"),
        ("items.csv", CSV_HEAD + "2,a,b,c,d\n", 3, "it has 5 fields instead of 4"),
        ("items.csv", CSV_HEAD + '\n\n2,"a"b,1,0\n', 5, "it is no CSV"),
        ("items.csv", CSV_HEAD + '2,"never closed,1,0\n3,x,1,0\n', 3, "it is no CSV"),
        ("items.csv", CSV_HEAD + "2,a,free,0\n", 3, "price is 'free', not a price"),
        ("items.csv", CSV_HEAD + "2,a,1,soon\n", 3, "created_at is 'soon', not a time"),
        ("items.csv", CSV_HEAD + "2,,1,0\n", 3, "title is empty"),
        ("items.csv", CSV_HEAD + ",a,1,0\n", 3, "item_id is empty"),
        ("items.csv", CSV_HEAD + "2,a\0b,1,0\n", 3, "title has the character NUL at position 2"),
        ("items.csv", CSV_HEAD + f"{'k' * 300},a,1,0\n", 3, "item_id has 300 characters"),
        (
            "items.jsonl",
            '{"id": 1, "title": "good"}\n{"id": 2, title}\n',
            2,
            "it is no JSON: Expecting property",
        ),
        ("items.jsonl", '{"id": 1, "title": "good"}\n[2]\n', 2, "it is no JSON object"),
        ("items.jsonl", '{"id": 1, "title": "good"}\n{"id": NaN}\n', 2, "NaN is no JSON number"),
        ("items.jsonl", '{"id": 1, "title": "good"}\n{"id": 2}\n', 2, "title is empty"),
        ("items.jsonl", '{"id": 1, "title": "good"}\n' + "[" * 100_000 + "\n", 2, "it is no JSON"),
        ("items.jsonl", '{"id": 1, "title": "\\ud800"}\n', 1, "title has bytes that are not UTF-8"),
    ],
)
def test_a_malformed_line_is_refused_by_its_number(tmp_path, name, content, line, message):
    source = read_items(write(tmp_path / name, content))
    with pytest.raises(InvalidRecordError, match=f"{name}, line {line}: ") as caught:
        list(source)
    assert message in caught.value.message
    assert caught.value.line == line
    assert caught.value.hint


def test_bytes_that_are_not_utf_8_are_refused_and_the_lines_after_them_read(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes("item_id,title\n1,é\n2,caf".encode() + b"\xe9" + "\n3,ü\n".encode())
    lines, kept = refused(read_items(path))
    assert [line for line, _ in lines] == [3]
    assert "not UTF-8" in lines[0][1]
    assert kept == [2, 4]


def test_attributes_nested_without_end_are_refused(tmp_path):
    deep = "[" * 5000 + "]" * 5000
    path = write(
        tmp_path / "items.jsonl",
        f'{{"id": 1, "title": "x", "deep": 1}}\n{{"id": 2, "title": "x", "deep": {deep}}}\n',
    )
    [(line, message)], kept = refused(read_items(path, attributes="*"))
    assert (line, kept) == (2, [1])
    assert "nested" in message or "recursion" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("items.csv", "", "line 1: there is no header"),
        ("items.csv", "item_id,title,title\n", "line 1: column 'title' is there twice"),
        ("items.csv", "item_id,title,\n", "line 1: a column has no name"),
        ("items.jsonl", "", "line 1: there is no JSON object"),
        ("items.jsonl", "\n{]\n", "line 2: it is no JSON"),
    ],
)
def test_a_file_that_names_no_columns_is_refused(tmp_path, name, content, message):
    with pytest.raises(InvalidRecordError, match=message):
        read_items(write(tmp_path / name, content))


def test_a_header_alone_holds_no_records(tmp_path):
    assert list(read_items(write(tmp_path / "items.csv", "item_id,title\n"))) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("items.csv.gz", b"no gzip"),
        ("items.csv.gz", gzip.compress(b"x" * 100, mtime=0)[:20]),
        ("items.zip", b"no zip"),
    ],
)
def test_a_damaged_file_is_one_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidArgumentError, match=name.split(".")[0]) as caught:
        read_items(tmp_path / name)
    assert caught.value.hint


def test_a_damaged_parquet_file_is_one_error(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "items.parquet").write_bytes(b"no parquet")
    with pytest.raises(InvalidArgumentError, match=r"items\.parquet is no Parquet file"):
        read_items(tmp_path / "items.parquet")


@given(
    titles=st.lists(STORABLE, min_size=1, max_size=5), descriptions=st.lists(STORABLE, min_size=5, max_size=5)
)
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_any_text_is_read_as_it_was_written(tmp_path_factory, ending, titles, descriptions):
    path = tmp_path_factory.mktemp("texts") / f"items.{ending}"
    written = [(str(key), *texts) for key, texts in enumerate(zip(titles, descriptions, strict=False))]
    with path.open("w", encoding="utf-8", newline="") as file:
        if ending == "jsonl":
            for row in written:
                file.write(
                    json.dumps(dict(zip(("item_id", "title", "description"), row, strict=True))) + "\n"
                )
        else:
            writer = csv.writer(file, delimiter="\t" if ending == "tsv" else ",")
            writer.writerows([("item_id", "title", "description"), *written])
    read = [(item.external_id, item.title, item.description) for _, item in read_items(path)]
    assert read == written
