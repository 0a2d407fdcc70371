"""search_items on the small catalogue: vectors, order, ties."""

import pytest
from psycopg.rows import namedtuple_row

OF_ITEM = "(select embedding from recsys.items where id = 1)"


def search(connection, query=OF_ITEM, arguments=", n => 60"):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(f"select * from recsys_api.search_items({query}{arguments})".encode()).fetchall()


@pytest.mark.parametrize("index", ["on", "off"])
def test_embedded_items_come_nearest_first_and_others_not_at_all(catalogue, index):
    catalogue.execute(f"set local enable_indexscan = {index}")
    rows = search(catalogue)
    assert {row.item_id for row in rows} == set(range(1, 61)) - {58, 60}
    assert [row.rank for row in rows] == list(range(1, 59))
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
    assert rows[0].item_id == 1
    assert rows[0].score == pytest.approx(1)


def test_the_score_is_the_cosine(catalogue):
    expected = catalogue.execute(
        f"select id, 1 - (embedding <=> {OF_ITEM}) from recsys.items"
        " where embedding is not null order by 2 desc, 1"
    ).fetchall()
    assert [(row.item_id, pytest.approx(row.score)) for row in search(catalogue)] == expected


def test_the_length_of_the_query_vector_does_not_matter(catalogue):
    unit = search(catalogue)
    for factor in ("1e-30", "1e-6", "7", "1e6", "1e37"):
        scaled = search(
            catalogue,
            f"(select i.embedding * array_fill({factor}::real, array[384])::vector"
            " from recsys.items i where i.id = 1)",
        )
        assert [row.item_id for row in scaled] == [row.item_id for row in unit]
        assert [row.score for row in scaled] == pytest.approx([row.score for row in unit], abs=1e-6)


def test_equal_items_come_by_id(catalogue):
    catalogue.execute(f"update recsys.items set embedding = {OF_ITEM} where id in (40, 7, 23)")
    assert [row.item_id for row in search(catalogue)[:4]] == [1, 7, 23, 40]


def test_the_rows_describe_the_items(catalogue):
    (row,) = search(catalogue, OF_ITEM, ", n => 1")
    assert row == (1, 1, "film-1", "Drama 1", "Drama", row.price, True, row.score)
    assert row.price == 0.5


def test_a_changed_text_takes_the_item_out_of_the_search_at_once(catalogue):
    catalogue.execute("update recsys.items set title = 'Another title' where id = 1")
    query = "(select embedding from recsys.items where id = 2)"
    assert 1 not in {row.item_id for row in search(catalogue, query)}
