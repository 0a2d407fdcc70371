"""init and migrate."""

import json

import psycopg

from recsys_pg import db, schema


def test_init_says_what_is_there_and_what_to_do_next(cli, create_database):
    url = create_database()
    first = cli("init", "--database-url", url)
    assert first.code == 0
    assert "pgvector" in first.out
    assert "Installed the schema" in first.out
    assert "recsys-pg import" in first.out
    again = cli("init", "--database-url", url)
    assert again.code == 0
    assert "Renewed the schema" in again.out


def test_init_as_json(cli, create_database):
    done = cli("init", "--json", "--database-url", create_database()).json
    assert done["before"] is None
    assert done["after"] == schema.head_revision()
    assert done.keys() == {"postgresql", "pgvector", "before", "after", "objects"}


def test_migrate_says_from_where_to_where_and_then_that_it_is_there_already(cli, create_database):
    url = create_database()
    assert f"none → {schema.head_revision()}" in cli("migrate", "--database-url", url).out
    assert cli("migrate", "--database-url", url).out.startswith(
        f"The schema is at revision {schema.head_revision()} already"
    )


def test_migrate_names_what_is_in_the_way(cli, url):
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        connection.execute("drop view recsys_report.top_items")
        connection.execute("create view recsys_report.top_items as select 1 as other_column")
        connection.execute("create view public.mine as select * from recsys_report.top_items")
    failed = cli("migrate", "--database-url", url)
    assert failed.code == 1
    assert "mine" in failed.error()


def test_every_usual_form_of_a_url_is_taken(cli, shop):
    parameters = db.connection_parameters(shop)
    host, name, user = parameters["host"], parameters["dbname"], parameters.get("user", "postgres")
    credentials = f"{user}:{parameters['password']}" if "password" in parameters else user
    port = parameters.get("port", "5432")
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        url = f"{scheme}://{credentials}@/{name}?host={host}&port={port}"
        assert json.loads(cli("popular", "-n", "1", "--json", "--database-url", url).out)
