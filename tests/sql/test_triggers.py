"""Truth of vectors and cheap change: what the triggers on items and users do, and what they leave alone."""

import psycopg
import pytest

VECTOR = "array_fill(3::real, array[384])::vector"
TEXT_CHANGES = (
    "title = 'Another title'",
    "description = 'Another story.'",
    "category = 'Western'",
    "tags = '{another}'",
    "description = null",
)


@pytest.fixture
def queue(catalogue):
    """The catalogue with an empty queue."""
    catalogue.execute("delete from recsys.embedding_jobs")
    return catalogue


def jobs(connection):
    return connection.execute(
        "select item_id, attempts, failed_at from recsys.embedding_jobs order by 1"
    ).fetchall()


def test_each_new_item_gets_one_job(queue):
    ids = queue.execute("insert into recsys.items (title) values ('a'), ('b') returning id").fetchall()
    assert jobs(queue) == [(item_id, 0, None) for (item_id,) in ids]


def test_an_item_that_comes_with_its_vector_gets_no_job(queue):
    queue.execute(f"insert into recsys.items (title, embedding) values ('a', {VECTOR})")
    assert jobs(queue) == []


def test_an_upsert_of_an_unchanged_item_asks_for_nothing(queue):
    queue.execute(
        "insert into recsys.items (id, title, description, category, tags)"
        " select id, title, description, category, tags from recsys.items where id <= 5"
        " on conflict (id) do update set title = excluded.title, description = excluded.description,"
        " category = excluded.category, tags = excluded.tags"
    )
    assert jobs(queue) == []
    assert queue.execute("select count(embedding) from recsys.items where id <= 5").fetchone() == (5,)


@pytest.mark.parametrize("change", TEXT_CHANGES)
def test_a_change_of_the_text_drops_the_vector_and_asks_for_a_new_one(queue, change):
    queue.execute(f"update recsys.items set {change} where id = 1")
    assert queue.execute(
        "select embedding, embedding_model_id, embedding_content_hash from recsys.items where id = 1"
    ).fetchone() == (None, None, None)
    assert jobs(queue) == [(1, 0, None)]


@pytest.mark.parametrize(
    "change",
    [
        "title = title",
        "title = title, description = description, category = category, tags = tags",
        "title = '  ' || title || ' '",
        "external_id = 'another key'",
        "attributes = '{}'",
        "price = 1, in_stock = not in_stock",
    ],
)
def test_what_does_not_change_the_text_touches_neither_vector_nor_queue(queue, change):
    (before,) = queue.execute("select embedding from recsys.items where id = 1").fetchone()
    queue.execute(f"update recsys.items set {change} where id = 1")
    assert queue.execute("select embedding from recsys.items where id = 1").fetchone() == (before,)
    assert jobs(queue) == []


def test_a_change_of_the_text_takes_the_job_from_a_worker_and_from_the_dead_letters(queue):
    queue.execute("update recsys.items set title = 'First change' where id in (1, 2)")
    queue.execute(
        "update recsys.embedding_jobs"
        " set attempts = 5, last_error = 'too long', lease_token = gen_random_uuid(),"
        " available_at = now() + interval '1 hour', failed_at = case when item_id = 1 then now() end"
    )
    queue.execute("update recsys.items set title = 'Second change' where id in (1, 2)")
    assert queue.execute(
        "select item_id, attempts, last_error, lease_token, failed_at, available_at = now()"
        " from recsys.embedding_jobs order by 1"
    ).fetchall() == [(1, 0, None, None, None, True), (2, 0, None, None, None, True)]


def test_removing_a_vector_asks_for_a_new_one(queue):
    queue.execute("update recsys.items set embedding = null where id = 1")
    assert jobs(queue) == [(1, 0, None)]


def test_a_vector_written_with_the_text_belongs_to_the_new_text(queue):
    queue.execute(f"update recsys.items set title = 'Another title', embedding = {VECTOR} where id = 1")
    assert queue.execute(
        "select embedding_content_hash = content_hash and embedding is not null"
        " from recsys.items where id = 1"
    ).fetchone() == (True,)
    assert jobs(queue) == []


def test_vectors_are_brought_to_unit_length_and_named_after_the_active_model(queue):
    queue.execute(f"insert into recsys.items (id, title, embedding) values (100, 'a', {VECTOR})")
    queue.execute(f"update recsys.items set embedding = {VECTOR} where id = 1")
    queue.execute(f"update recsys.users set embedding = {VECTOR} where id = 30")
    assert queue.execute(
        """
        select distinct round(vector_norm(embedding)::numeric, 5), m.purpose
        from (select id, embedding, embedding_model_id from recsys.items where id in (1, 100)
              union all select id, embedding, embedding_model_id from recsys.users where id = 30) v
        join recsys.models m on m.id = v.embedding_model_id
        """
    ).fetchall() == [(1, "embedding")]


def test_removing_a_taste_vector_removes_its_model(catalogue):
    catalogue.execute("update recsys.users set embedding = null where id = 1")
    assert catalogue.execute("select embedding_model_id from recsys.users where id = 1").fetchone() == (None,)


@pytest.mark.parametrize(
    "statement",
    [
        "update recsys.items set embedding = array_fill(0::real, array[384])::vector where id = 1",
        "insert into recsys.items (title, embedding) values ('a', array_fill(0::real, array[384])::vector)",
        "update recsys.users set embedding = array_fill(0::real, array[384])::vector where id = 1",
    ],
)
def test_a_zero_vector_is_refused(catalogue, statement):
    with pytest.raises(psycopg.Error, match=r"zero vector|users_embedding_norm_check"):
        catalogue.execute(statement)


def test_a_vector_without_an_active_model_is_refused(catalogue):
    catalogue.execute("update recsys.models set is_active = false where purpose = 'embedding'")
    with pytest.raises(psycopg.errors.CheckViolation, match="items_embedding_content_check"):
        catalogue.execute(
            f"update recsys.items set embedding = {VECTOR}, embedding_model_id = null where id = 1"
        )


def test_updated_at_tells_when_the_application_changed_the_item_and_not_when_it_was_embedded(catalogue):
    is_now = "select updated_at = now() from recsys.items where id = 1"
    catalogue.execute("update recsys.items set updated_at = '2000-01-01' where id = 1")
    catalogue.execute(f"update recsys.items set embedding = {VECTOR} where id = 1")
    assert catalogue.execute(is_now).fetchone() == (False,)
    catalogue.execute("update recsys.items set price = 3 where id = 1")
    assert catalogue.execute(is_now).fetchone() == (True,)


def test_price_and_stock_updates_are_hot_with_vectors_present(catalogue_url):
    with psycopg.connect(catalogue_url, autocommit=True) as connection:
        connection.execute("delete from recsys.embedding_jobs")
        counts = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'items'"
        connection.execute("select pg_stat_force_next_flush()")
        before = connection.execute(counts).fetchone()
        for price in range(5):
            connection.execute(
                "update recsys.items set price = %s, in_stock = not in_stock where mod(id, 5) = 0", (price,)
            )
        connection.execute("select pg_stat_force_next_flush()")
        after = connection.execute(counts).fetchone()
        assert (after[0] - before[0], after[1] - before[1]) == (60, 60)
        assert jobs(connection) == []


def test_deleting_a_person_or_an_item_deletes_what_they_did(catalogue):
    catalogue.execute("delete from recsys.users where id = 1")
    catalogue.execute("delete from recsys.items where id = 20")
    assert catalogue.execute(
        "select count(*) from recsys.interactions where user_id = 1 or item_id = 20"
    ).fetchone() == (0,)
    assert catalogue.execute("select count(*) from recsys.item_neighbors where item_id = 20").fetchone() == (
        0,
    )
    assert len(catalogue.execute("select * from recsys_api.recommend_for_user(2, n => 60)").fetchall()) > 40
