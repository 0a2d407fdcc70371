"""import: files by name and by option, mappings, what is wrong with a line."""

import json

import pytest

ITEMS = "item_id,title,price\na,Apple,1.5\nb,Bread,2\n"
ORDERS = "user_id,item_id,timestamp\nann,a,2026-01-01\nann,b,2026-01-02\nbob,a,2026-01-03\n"


@pytest.fixture
def files(tmp_path):
    """A folder with items.csv and interactions.csv, and products under names of their own."""
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "interactions.csv").write_text(ORDERS)
    (tmp_path / "goods.csv").write_text("sku,label,maker\na,Apple,Acme\n")
    (tmp_path / "sales.csv").write_text("customer,sku\nann,a\n")
    return tmp_path


def test_files_are_known_by_their_names(cli, url, files):
    done = cli(
        "import", "items.csv", "interactions.csv", "--kind", "purchase", "--json", "--database-url", url
    )
    assert done.code == 0, done.err
    report = done.json
    assert (report["items_inserted"], report["users_inserted"], report["interactions_inserted"]) == (2, 2, 3)
    assert report["skipped"] == []


def test_an_import_can_be_repeated(cli, url, files):
    for _ in range(2):
        done = cli("import", ".", "--format", "csv", "--kind", "purchase", "--json", "--database-url", url)
    assert (done.json["interactions_inserted"], done.json["duplicates"]) == (0, 3)


def test_files_and_columns_of_other_names_are_named(cli, url, files):
    options = [
        "--items=goods.csv",
        "--map=items.external_id=sku",
        "--map=items.title=label",
        "--attribute=items.maker",
        "--interactions=sales.csv",
        "--map=interactions.user_external_id=customer",
        "--map=interactions.item_external_id=sku",
        "--kind=like",
    ]
    done = cli("import", *options, "--database-url", url)
    assert done.code == 0, done.err
    assert "items                  1 new" in done.out
    found = cli("recommend", "ann", "--external", "--include-seen", "--json", "--database-url", url).json
    assert [row["title"] for row in found] == ["Apple"]


def test_a_mapping_needs_no_prefix_where_it_can_be_about_one_file_only(cli, url, files):
    (files / "goods.csv").write_text("sku,name,maker\na,Apple,Acme\n")
    options = ["--items=goods.csv", "--interactions=sales.csv", "--kind=like"]
    done = cli(
        "import", *options, "--map=user_external_id=customer", "--attribute=maker", "--database-url", url
    )
    assert done.code == 0, done.err
    assert "recsys-pg train" in done.out
    failed = cli("import", *options, "--map=id=sku", "--users=goods.csv", "--database-url", url)
    assert "write items.id=sku or users.id=sku." in failed.error()


def test_what_is_left_out_is_told_and_that_no_time_is_known(cli, url, files):
    (files / "goods.csv").write_text("sku,name,maker\na,Apple,Acme\n")
    (files / "sales.csv").write_text("user_id,sku,bought\nann,a,2026-01-01\n")
    files_and_kind = ("--items=goods.csv", "--interactions=sales.csv", "--kind=like")
    done = cli("import", *files_and_kind, "--json", "--database-url", url)
    assert done.json["interactions_inserted"] == 1
    assert done.err.splitlines()[:3] == [
        "goods.csv: left out are maker; --map and --attribute take columns.",
        "sales.csv: left out are bought; --map takes columns.",
        "sales.csv has no column of times: all is taken for done at the moment of the import, so that no"
        " order is learned; and imported again, it counts again. Name the column: --map occurred_at=COLUMN.",
    ]
    timed = cli("import", *files_and_kind, "--map=occurred_at=bought", "--attribute=*", "--database-url", url)
    assert timed.err == ""


def test_with_one_file_a_mapping_needs_no_prefix(cli, url, files):
    options = ("--items", "goods.csv", "--map", "external_id=sku", "--map", "title=label")
    done = cli("import", *options, "--json", "--database-url", url)
    assert done.code == 0, done.err
    assert done.json["items_inserted"] == 1


def test_a_line_that_is_wrong_is_named_and_nothing_is_loaded(cli, url, files):
    (files / "items.csv").write_text(ITEMS + "c,Cheese,expensive\n")
    failed = cli("import", "items.csv", "--database-url", url)
    assert failed.code == 1
    assert "items.csv, line 4" in failed.error()
    assert "expensive" in failed.err
    assert json.loads(cli("status", "--json", "--database-url", url).out)["counts"]["items"] == 0


def test_lines_that_are_wrong_are_left_out_on_request(cli, url, files):
    (files / "items.csv").write_text(ITEMS + "c,Cheese,expensive\n" * 20)
    done = cli("import", "items.csv", "--skip-invalid", "--database-url", url)
    assert done.code == 0
    assert "Left out 20 lines" in done.out
    assert "line 4:" in done.out
    assert "and 10 more" in done.out


def test_two_files_of_the_same_are_refused(cli, url, files):
    (files / "products.csv").write_text(ITEMS)
    failed = cli("import", "items.csv", "products.csv", "--database-url", url)
    assert failed.code == 2
    assert "both hold items" in failed.error()


@pytest.mark.parametrize("path", ["nowhere.csv", "."])
def test_a_path_that_holds_no_data_is_said(cli, url, path):
    failed = cli("import", path, "--database-url", url)
    assert failed.code == 2
    assert failed.error()
