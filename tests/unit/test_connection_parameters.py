"""Database URLs in every usual form."""

import pytest

from recsys_pg.db import connection_parameters
from recsys_pg.errors import InvalidArgumentError

SHOP = {"host": "db", "dbname": "shop", "user": "app"}

ACCEPTED = {
    "postgres://app@db/shop": SHOP,
    "postgresql://app@db/shop": SHOP,
    "postgresql+psycopg://app@db/shop": SHOP,
    "postgresql+psycopg2://app@db/shop": SHOP,
    "  postgresql://app@db/shop\n": SHOP,
    "host=db dbname=shop user=app": SHOP,
    "host='db' dbname = shop user=app": SHOP,
    "postgresql://app@db:5433/shop?connect_timeout=3": SHOP | {"port": "5433", "connect_timeout": "3"},
    "postgresql://app:secret@db/shop?sslmode=require": SHOP | {"password": "secret", "sslmode": "require"},
    "postgresql://app:p%40ss%2Fw%3Frd%25@db/shop": SHOP | {"password": "p@ss/w?rd%"},
    "postgresql://app:%F0%9F%94%91@db/shop": SHOP | {"password": "\U0001f511"},
    "host=db dbname=shop user=app password='it\\'s a secret'": SHOP | {"password": "it's a secret"},
    "postgresql://app@/shop?host=/var/run/postgresql": SHOP | {"host": "/var/run/postgresql"},
    "postgresql:///shop?host=/tmp/a%20b&user=app": SHOP | {"host": "/tmp/a b"},
    "postgresql://%2Fvar%2Frun/shop": {"host": "/var/run", "dbname": "shop"},
    "postgresql://?service=shop": {"service": "shop"},
    "service=shop": {"service": "shop"},
    "postgresql://app@[::1]:5433/shop": SHOP | {"host": "::1", "port": "5433"},
    "postgresql://app@a:1,b:2/shop?target_session_attrs=read-write": SHOP
    | {"host": "a,b", "port": "1,2", "target_session_attrs": "read-write"},
    "dbname=shop": {"dbname": "shop"},
}


@pytest.mark.parametrize("url", ACCEPTED)
def test_every_usual_form_is_read(url):
    assert connection_parameters(url) == ACCEPTED[url]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "The database URL is empty."),
        ("   ", "The database URL is empty."),
        ("postgresql://", "The database URL is empty."),
        ("mysql://app:secret@db/shop", "starts with mysql://, which is not PostgreSQL"),
        ("sqlite:///shop.db", "starts with sqlite://, which is not PostgreSQL"),
        ("POSTGRES//app:secret@db/shop", "cannot be read"),
        ("shop", "cannot be read"),
        ("postgresql://app:secret@db/shop?no_such_option=1", "cannot be read"),
        ("postgresql://app:secret%@db/shop", "cannot be read"),
        ("host=db password='secret", "cannot be read"),
        ("host=db pasword=secret", "cannot be read"),
    ],
)
def test_anything_else_is_refused_without_repeating_the_password(url, message):
    with pytest.raises(InvalidArgumentError, match=message) as raised:
        connection_parameters(url)
    assert "secret" not in str(raised.value)
    assert "postgresql://user@host/database" in raised.value.hint
