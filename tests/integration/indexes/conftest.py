"""A shop with enough items for partial indexes to be worth something; tests get clones of it."""

import uuid
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg import db

ITEMS = 5_000
CLEAN = """
update pg_index set indisvalid = true where indrelid = 'recsys.items'::regclass and not indisvalid;
do $$
declare
    index_name text;
begin
    for index_name in
        select i.indexrelid::regclass from pg_index i
        where i.indrelid = 'recsys.items'::regclass
            and i.indexrelid::regclass::text ~ 'items_embedding_[0-9a-f]{8}_idx'
    loop
        execute 'drop index ' || index_name;
    end loop;
end $$;
delete from recsys.search_indexes;
delete from recsys.filter_samples;
update recsys.settings set value = '333' where key = 'search.scan_limit';
update recsys.settings set value = '1' where key = 'search.sample_share';
"""
IS_UNCHANGED = """
select count(embedding) = 5000 and count(*) = 5000 and sum(price) = 247500
    and (select r.canonical from recsys.filter_rules r where r.name = 'third') = '((item.id % 3) = 0)'
from recsys.items
"""
AWKWARD = 'O\'Neill \\ "x" {y} 50%'


@pytest.fixture(scope="session")
def shop_template(server_url: str, template: str) -> str:
    """The name of a database with 5,000 embedded items.

    Item i has the category c<i % 10>, the tags even or odd and t<i % 5>, the attribute size = i % 4, a price;
    500 more are in an awkward category. Of up to 100 that pass, the codes are scanned.
    """
    name = f"{template}_indexes"
    parameters = db.connection_parameters(server_url)
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"')
    vectors = np.random.default_rng(3).standard_normal((ITEMS, 384)).astype(np.float32)
    with psycopg.connect(**parameters | {"dbname": name}) as connection:
        (index,) = connection.execute(
            "select pg_get_indexdef('recsys.items_embedding_idx'::regclass)"
        ).fetchone()
        connection.execute("drop index recsys.items_embedding_idx")
        connection.execute("create temporary table vectors (id bigint, embedding real[]) on commit drop")
        with connection.cursor().copy("copy vectors from stdin (format binary)") as copy:
            copy.set_types(["int8", "float4[]"])
            for i, vector in enumerate(vectors):
                copy.write_row((i, vector.tolist()))
        connection.execute(
            """
            insert into recsys.items (id, title, category, tags, attributes, price, in_stock, embedding)
            select v.id, 'Item ' || v.id, case when v.id < 500 then %s else 'c' || v.id %% 10 end,
                array[case when v.id %% 2 = 0 then 'even' else 'odd' end, 't' || v.id %% 5],
                jsonb_build_object('size', v.id %% 4), v.id %% 100, v.id %% 7 <> 0, v.embedding::vector
            from vectors v
            """,
            (AWKWARD,),
        )
        connection.execute(index.encode())
        connection.execute("update recsys.settings set value = '333' where key = 'search.scan_limit'")
        connection.execute("update recsys.settings set value = '1' where key = 'search.sample_share'")
        connection.execute(
            "insert into recsys.filter_rules (name, predicate, canonical, relation) values"
            " ('third', 'x', '((item.id % 3) = 0)', 'searchable_items'),"
            " ('cheap', 'x', '(item.price < (10)::numeric)', 'searchable_items'),"
            " ('recent', 'x', '(item.created_at > (now() - ''30 days''::interval))', 'searchable_items'),"
            " ('joined', 'x', '(EXISTS ( SELECT FROM recsys.models m WHERE (m.id = item.id)))',"
            "  'searchable_items')"
        )
    with psycopg.connect(**parameters | {"dbname": name}, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return name


@pytest.fixture(scope="session")
def unused_shops(server_url: str) -> Iterator[list[str]]:
    """URLs of shops that are as the template is, for the next test to take."""
    urls: list[str] = []
    yield urls
    for url in urls:
        _execute(server_url, f'drop database "{db.connection_parameters(url)["dbname"]}" with (force)')


@pytest.fixture
def shop_url(server_url: str, shop_template: str, unused_shops: list[str]) -> Iterator[str]:
    """The URL of a shop that no other test uses meanwhile. Cloning one takes longer than most tests."""
    if unused_shops:
        url = unused_shops.pop()
    else:
        name = f"recsys_test_{uuid.uuid4().hex[:12]}"
        _execute(server_url, f'create database "{name}" template "{shop_template}"')
        url = make_conninfo(**db.connection_parameters(server_url) | {"dbname": name})
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CLEAN)
        unchanged = connection.execute(IS_UNCHANGED).fetchone() == (True,)
    if unchanged:
        unused_shops.append(url)
    else:
        _execute(server_url, f'drop database "{db.connection_parameters(url)["dbname"]}" with (force)')


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def shop(shop_url: str) -> Iterator[sa.Engine]:
    """An engine on a shop of this test's own."""
    engine = db.create_engine(shop_url)
    yield engine
    engine.dispose()


@pytest.fixture
def other_session(shop_url: str) -> Iterator[psycopg.Connection]:
    """A session on the same shop that holds no transaction open by itself."""
    with psycopg.connect(shop_url, autocommit=True) as connection:
        yield connection
