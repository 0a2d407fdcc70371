"""What applications made of the tables follows a change of the embedding model, or is named."""

import re

import numpy as np
import pytest

from recsys_pg.errors import (
    UpgradeBlockedError,
)
from recsys_pg.indexes import IndexCondition, build
from recsys_pg.model_switch import finish_switch, switch_model
from recsys_pg.recommender import Recommender


def names(shop):
    """What the catalog says of the tables that a switch renames, by their names.

    Of expressions the words alone: where they name a column and its twin, these have changed places.
    """
    statements = (
        "select table_name, column_name, udt_name || is_nullable from information_schema.columns"
        " where table_schema = 'recsys'",
        "select tablename, indexname, indexdef from pg_indexes where schemaname = 'recsys'",
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'recsys'::regnamespace and contype <> 'n'",
        "select schemaname, viewname, definition from pg_views where schemaname like 'recsys%'",
        "select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger"
        " where not tgisinternal",
        "select tablename, policyname, qual from pg_policies",
        "select c.oid::regclass::text, a.attname, col_description(c.oid, a.attnum) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid where c.relnamespace = 'recsys'::regnamespace"
        " and a.attnum > 0 and not attisdropped and col_description(c.oid, a.attnum) is not null",
        "select relname, relkind::text, array_to_string(relacl, ' ') from pg_class"
        " where relnamespace = 'recsys'::regnamespace",
        "select attrelid::regclass::text, attname, attstorage::text from pg_attribute"
        " where attrelid in ('recsys.items'::regclass, 'recsys.users'::regclass)"
        " and attname like '%embedding'",
    )
    return [
        sorted(
            (table, name, sorted(re.findall(r"\w+", text or ""))) for table, name, text in shop.sql(statement)
        )
        for statement in statements
    ]


def test_the_names_are_the_same_after_a_switch(engine, shop, embedder, other):
    build(engine, [IndexCondition(category="even")])
    before = names(shop)
    switch_model(engine, other, searches=5)
    once = names(shop)
    switch_model(engine, embedder, searches=5)
    assert names(shop) == once
    finish_switch(engine)
    assert names(shop) == before
    assert [name for _, name, _ in names(shop)[1] if name.startswith("standby")] == [
        "standby_searchable_items_attributes_idx",
        "standby_searchable_items_category_idx",
        "standby_searchable_items_pkey",
        "standby_searchable_items_price_band_idx",
        "standby_searchable_items_tags_idx",
    ]


def test_kept_texts_are_found_by_meaning_after_the_switch(engine, shop, session, embedder, other):
    recommender = Recommender(session)
    recommender.search_text("film 7", embedder=embedder)
    session.commit()
    switch_model(engine, other, searches=5)
    assert recommender.remembers("film 7")
    [kept] = shop.sql("select recsys_api._query_embedding('film 7')::text as embedding")
    assert np.allclose(np.fromstring(kept.embedding.strip("[]"), sep=","), other.vector("film 7"), atol=1e-6)


def test_views_and_functions_of_an_application_follow(engine, shop, other):
    shop.sql(
        "create schema shop;"
        "create view shop.vectors with (security_barrier) as"
        " select i.id, i.embedding, i.embedding_model_id from recsys.items i;"
        "comment on view shop.vectors is 'ours';"
        "create view shop.outer_vectors as select * from shop.vectors;"
        "create function shop.model_of(item bigint) returns bigint language sql stable"
        " begin atomic; select i.embedding_model_id from recsys.items i where i.id = item; end"
    )
    switch_model(engine, other, searches=5)
    [row] = shop.sql(
        "select (select count(*) from shop.outer_vectors v join recsys.items i using (id)"
        "     where v.embedding = i.embedding) as same,"
        " (select array_agg(distinct shop.model_of(id)) from recsys.items) ="
        " (select array_agg(id) from recsys.models"
        " where purpose = 'embedding' and is_active) as follows,"
        " obj_description('shop.vectors'::regclass) as comment,"
        " (select reloptions from pg_class where oid = 'shop.vectors'::regclass) as options"
    )
    assert row == (60, True, "ours", ["security_barrier=true"])


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "create materialized view public.copied as select embedding from recsys.items",
            "materialized view public.copied",
        ),
        (
            "create function public.heard() returns trigger language plpgsql as 'begin return new; end';"
            "create trigger app_heard after update of embedding on recsys.items"
            " for each row execute function public.heard()",
            "trigger app_heard on table recsys.items",
        ),
        ("create index app_idx on recsys.searchable_items (price)", "index recsys.app_idx"),
        (
            "alter table recsys.users add constraint app_check check (embedding_model_id < 1000)",
            "constraint app_check",
        ),
        (
            "alter table recsys.items add column app_norm double precision"
            " generated always as (vector_norm(embedding)) stored",
            "default value for column app_norm of table recsys.items",
        ),
        ("create publication app_items for table recsys.items (id, embedding)", "publication of"),
        ("create policy app_seen on recsys.items using (embedding_model_id is not null)", "policy app_seen"),
    ],
)
def test_what_cannot_follow_is_named_before_anything_is_done(engine, shop, other, statement, what):
    shop.sql(statement)
    with pytest.raises(UpgradeBlockedError) as error:
        switch_model(engine, other)
    assert what in str(error.value)
    assert other.texts == []
    assert shop.sql("select count(*) from recsys.models where is_standby") == [(0,)]


def test_privileges_stay_with_the_names(engine, shop, other):
    shop.sql(
        "create role recsys_test_bi;"
        "grant select on recsys.searchable_items to recsys_test_bi;"
        "grant select (id, embedding), update (embedding) on recsys.items to recsys_test_bi with grant option"
    )
    rights = (
        "select has_table_privilege('recsys_test_bi', 'recsys.searchable_items', 'select'),"
        " has_table_privilege('recsys_test_bi', 'recsys.standby_searchable_items', 'select'),"
        " has_column_privilege('recsys_test_bi', 'recsys.items', 'embedding', 'update with grant option'),"
        " has_column_privilege('recsys_test_bi', 'recsys.items', 'standby_embedding', 'select'),"
        " has_column_privilege('recsys_test_bi', 'recsys.items', 'id', 'select')"
    )
    try:
        assert shop.sql(rights) == [(True, False, True, False, True)]
        switch_model(engine, other, searches=5)
        assert shop.sql(rights) == [(True, False, True, False, True)]
    finally:
        shop.sql("drop owned by recsys_test_bi; drop role recsys_test_bi")


def test_an_index_with_any_name_has_a_twin(engine, shop, other):
    shop.sql('create index "items-by-Model" on recsys.items (embedding_model_id)')
    switch_model(engine, other, searches=5)
    assert shop.sql("select indexdef from pg_indexes where indexname = 'items-by-Model'") == [
        ('CREATE INDEX "items-by-Model" ON recsys.items USING btree (embedding_model_id)',)
    ]
