"""A second set of vectors, of the model that is to come or was before, beside the one that searches use.

Everything that depends on the embedding model has a twin named standby_…: columns of items and users, the
narrow copy of the items, the flag of the model. ``recsys-pg model switch`` fills the twins and then exchanges
the names, so that a switch changes no row, and every statement sees all of one model or all of the other.

Revision ID: 0017
Revises: 0016
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


MODELS = """
alter table recsys.models add column is_standby boolean not null default false;
update recsys.models set is_standby = is_active where purpose <> 'embedding' and is_active;
alter table recsys.models add constraint models_standby_check
    check (purpose <> 'embedding' or not (is_active and is_standby));
create unique index models_standby_purpose_idx on recsys.models (purpose) where is_standby;
-- a switch exchanges names, but not comments: so these are the same on both sides, or on what has no twin
comment on table recsys.models is
'Every embedding model and every trained model; at most one of each purpose is active. The standby embedding model is the one to come, or the one before, whose vectors are in the columns standby_…; of other models, is_standby is as is_active.';

create function recsys.keep_standby() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.is_standby := new.is_active;
    return new;
end $$;
comment on function recsys.keep_standby() is
'Keeps is_standby of what is no embedding model equal to is_active, so that a switch of the embedding model, which exchanges the two columns, changes nothing for it.';
create trigger models_10_keep_standby before insert or update on recsys.models
    for each row when (new.purpose <> 'embedding') execute function recsys.keep_standby();
"""

COLUMNS = """
alter table recsys.items
    add column standby_embedding {vector}.vector(384),
    add column standby_embedding_model_id bigint,
    add column standby_embedding_content_hash uuid,
    add constraint standby_items_embedding_model_id_fkey
        foreign key (standby_embedding_model_id) references recsys.models (id),
    add constraint standby_items_embedding_norm_check
        check ({vector}.vector_norm(standby_embedding) between 0.999 and 1.001),
    add constraint standby_items_embedding_content_check check (
        (standby_embedding is null and standby_embedding_model_id is null
            and standby_embedding_content_hash is null)
        or (standby_embedding is not null and standby_embedding_model_id is not null
            and standby_embedding_content_hash = content_hash));
-- beside the other, both would not fit into a row that leaves room for updates in its page
alter table recsys.items alter column standby_embedding set storage external;

alter table recsys.users
    add column standby_embedding {vector}.vector(384),
    add column standby_embedding_model_id bigint,
    add constraint standby_users_embedding_model_id_fkey
        foreign key (standby_embedding_model_id) references recsys.models (id),
    add constraint standby_users_embedding_norm_check
        check ({vector}.vector_norm(standby_embedding) between 0.999 and 1.001),
    add constraint standby_users_embedding_model_check
        check ((standby_embedding is null) = (standby_embedding_model_id is null));
alter table recsys.users alter column standby_embedding set storage external;
"""

COPY = """
create table recsys.standby_searchable_items (
    id          bigint not null,
    price       numeric,
    price_band  smallint,
    in_stock    boolean not null,
    category    text,
    created_at  timestamptz not null,
    code        bit(1152) not null,
    tags        text[] not null,
    attributes  jsonb not null,
    constraint standby_searchable_items_pkey primary key (id),
    constraint standby_searchable_items_id_fkey foreign key (id)
        references recsys.items (id) on update cascade on delete cascade
) with (fillfactor = 85);
alter table recsys.standby_searchable_items alter column code set storage plain;
create index standby_searchable_items_category_idx on recsys.standby_searchable_items (category, id);
create index standby_searchable_items_price_band_idx on recsys.standby_searchable_items (price_band, id);
create index standby_searchable_items_tags_idx
    on recsys.standby_searchable_items using gin (tags) with (fastupdate = off);
create index standby_searchable_items_attributes_idx
    on recsys.standby_searchable_items using gin (attributes jsonb_path_ops) with (fastupdate = off);
create policy standby_searchable_items_hidden on recsys.standby_searchable_items
    using (not row_security_active('recsys.items'));
comment on table recsys.searchable_items is
'Each item that has an embedding, once more in a tenth of the room: what filters ask for, and the embedding as a code; standby_searchable_items the same of the standby embeddings. Kept by triggers on recsys.items.';
comment on table recsys.standby_searchable_items is
'Each item that has an embedding, once more in a tenth of the room: what filters ask for, and the embedding as a code; standby_searchable_items the same of the standby embeddings. Kept by triggers on recsys.items.';
comment on policy standby_searchable_items_hidden on recsys.standby_searchable_items is
'Takes effect when row-level security is enabled for this table, which recsys-pg migrate does when it is for recsys.items.';
comment on column recsys.standby_searchable_items.price_band is
'The band that the price had, or recsys.kept_price_band since; indexed in place of the price, so that small price changes stay cheap (HOT).';
comment on column recsys.searchable_items.code is 'recsys.embedding_code of the embedding, compared by Hamming distance.';
comment on column recsys.standby_searchable_items.code is 'recsys.embedding_code of the embedding, compared by Hamming distance.';
"""

STALE = """
create or replace function recsys.drop_stale_embedding() returns trigger language plpgsql as $$
begin
    if recsys.item_content_hash(new.title, new.description, new.category, new.tags) <> old.content_hash then
{slots}
    end if;
    return new;
end $$;
"""

STALE_SLOT = """
        if new.{slot}embedding operator({vector}.=) old.{slot}embedding then
            new.{slot}embedding := null;
            new.{slot}embedding_model_id := null;
            new.{slot}embedding_content_hash := null;
        end if;
"""

# What is written again unchanged stays as it is: normalizing it once more could change a last bit, for which
# the vector index would be written.
NORMALIZE_ITEM = """
create or replace function recsys.normalize_item_embedding() returns trigger language plpgsql as $$
begin
{slots}
    return new;
end $$;
"""

NORMALIZE_ITEM_SLOT = """
    if new.{slot}embedding is null then
        new.{slot}embedding_model_id := null;
        new.{slot}embedding_content_hash := null;
    elsif tg_op = 'INSERT' or old.{slot}embedding is null
        or new.{slot}embedding operator({vector}.<>) old.{slot}embedding
        or new.{slot}embedding_model_id is null or new.{slot}embedding_content_hash is null
    then
        if {vector}.vector_norm(new.{slot}embedding) = 0 then
            raise exception using
                errcode = 'RS011',
                message = format('the embedding of item %s is a zero vector, which has no direction', new.id),
                hint = 'Write NULL for an item without an embedding; the worker fills it in from the text.';
        end if;
        new.{slot}embedding := {vector}.l2_normalize(new.{slot}embedding);
        new.{slot}embedding_content_hash :=
            recsys.item_content_hash(new.title, new.description, new.category, new.tags);
        new.{slot}embedding_model_id := coalesce(new.{slot}embedding_model_id,
            (select m.id from recsys.models m where m.purpose = 'embedding' and m.{flag}));
    end if;
"""

NORMALIZE_USER = """
create or replace function recsys.normalize_user_embedding() returns trigger language plpgsql as $$
begin
{slots}
    return new;
end $$;
"""

NORMALIZE_USER_SLOT = """
    if new.{slot}embedding is null then
        new.{slot}embedding_model_id := null;
    elsif tg_op = 'INSERT' or old.{slot}embedding is null
        or new.{slot}embedding operator({vector}.<>) old.{slot}embedding
        or new.{slot}embedding_model_id is null
    then
        new.{slot}embedding := {vector}.l2_normalize(new.{slot}embedding);
        new.{slot}embedding_model_id := coalesce(new.{slot}embedding_model_id,
            (select m.id from recsys.models m where m.purpose = 'embedding' and m.{flag}));
    end if;
"""

ENQUEUE = """
create or replace function recsys.enqueue_embedding_jobs() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    may_wake boolean := recsys.may_wake_workers();
begin
    insert into recsys.embedding_jobs (item_id, model_id)
    select i.id, m.id
    from new_items i
    join recsys.models m on m.purpose = 'embedding' and ({new_item_wants})
    on conflict (item_id, model_id) do nothing;
    if found and may_wake then
        perform pg_notify('recsys_embedding_jobs', '');
    end if;
    return null;
end $$;

create or replace function recsys.enqueue_embedding_job() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    may_wake boolean := recsys.may_wake_workers();
begin
    insert into recsys.embedding_jobs as j (item_id, model_id)
    select new.id, m.id from recsys.models m where m.purpose = 'embedding' and ({item_wants})
    on conflict (item_id, model_id) do update
        set requested_at = now(), available_at = now(), attempts = 0,
            lease_token = null, last_error = null, failed_at = null;
    if found and may_wake then
        perform pg_notify('recsys_embedding_jobs', '');
    end if;
    return null;
end $$;
"""

KEEP = """
create or replace function recsys.keep_searchable_price() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
{prices}
    return null;
end $$;

create or replace function recsys.keep_searchable_item() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
{slots}
    return null;
end $$;
"""

KEEP_PRICE_SLOT = """
    if new.{slot}embedding is not null then
        update recsys.{slot}searchable_items s
        set price = new.price, price_band = recsys.kept_price_band(s.price_band, new.price),
            in_stock = new.in_stock
        where s.id = new.id;
    end if;
"""

KEEP_SLOT = """
    if new.{slot}embedding is null then
        delete from recsys.{slot}searchable_items s where s.id = new.id;
    elsif tg_op = 'INSERT' or old.{slot}embedding is null
        or new.{slot}embedding operator({vector}.<>) old.{slot}embedding
    then
        insert into recsys.{slot}searchable_items
            (id, price, price_band, in_stock, category, created_at, code, tags, attributes)
        values (new.id, new.price, recsys.price_band(new.price), new.in_stock, new.category, new.created_at,
            recsys.embedding_code(new.{slot}embedding), new.tags, new.attributes)
        on conflict (id) do update set (price, price_band, in_stock, category, created_at, code, tags, attributes) =
            (excluded.price, excluded.price_band, excluded.in_stock, excluded.category, excluded.created_at,
            excluded.code, excluded.tags, excluded.attributes);
    elsif (old.category, old.created_at, old.tags, old.attributes)
        is distinct from (new.category, new.created_at, new.tags, new.attributes)
    then
        update recsys.{slot}searchable_items s
        set category = new.category, created_at = new.created_at, tags = new.tags, attributes = new.attributes
        where s.id = new.id;
    end if;
"""

TRIGGERS = """
drop trigger items_30_normalize_embedding on recsys.items;
drop trigger items_30_normalize_new_embedding on recsys.items;
drop trigger items_40_enqueue_changed on recsys.items;
drop trigger items_50_keep_new_searchable on recsys.items;
drop trigger items_50_keep_changed_searchable on recsys.items;
drop trigger users_30_normalize_embedding on recsys.users;
drop trigger users_30_normalize_new_embedding on recsys.users;

create trigger items_30_normalize_embedding before update of {columns} on recsys.items
    for each row execute function recsys.normalize_item_embedding();
create trigger items_30_normalize_new_embedding before insert on recsys.items
    for each row when ({is_given}) execute function recsys.normalize_item_embedding();
create trigger items_40_enqueue_changed after update of title, description, category, tags, {columns}
    on recsys.items for each row when ({is_wanted}) execute function recsys.enqueue_embedding_job();
create trigger items_50_keep_new_searchable after insert on recsys.items
    for each row when ({is_given}) execute function recsys.keep_searchable_item();
create trigger items_50_keep_changed_searchable after update on recsys.items
    for each row when (
        old.category is distinct from new.category or old.tags is distinct from new.tags
        or old.attributes is distinct from new.attributes or old.created_at is distinct from new.created_at
        or {is_changed})
    execute function recsys.keep_searchable_item();
create trigger users_30_normalize_embedding before update of {columns} on recsys.users
    for each row execute function recsys.normalize_user_embedding();
create trigger users_30_normalize_new_embedding before insert on recsys.users
    for each row when ({is_given}) execute function recsys.normalize_user_embedding();
"""

IS_GIVEN = "new.{slot}embedding is not null"
IS_CHANGED = (
    "old.{slot}embedding operator({vector}.<>) new.{slot}embedding"
    " or (old.{slot}embedding is null) <> (new.{slot}embedding is null)"
)
IS_WANTED = """
    new.{slot}embedding is null and
    (old.{slot}embedding is not null or old.content_hash is distinct from new.content_hash)
"""

DROP = """
-- which shows both; the older release makes its own
drop view if exists recsys_report.embedding_status;
alter table recsys.items drop column standby_embedding, drop column standby_embedding_model_id,
    drop column standby_embedding_content_hash;
alter table recsys.users drop column standby_embedding, drop column standby_embedding_model_id;
drop table recsys.standby_searchable_items;
drop trigger models_10_keep_standby on recsys.models;
drop function recsys.keep_standby();
delete from recsys.embedding_jobs j using recsys.models m
where m.id = j.model_id and m.purpose = 'embedding' and m.is_standby;
alter table recsys.models drop column is_standby;
"""


def _run(block: str, **parts: str) -> None:
    op.execute(sa.text(block.format(**parts).replace(":", r"\:")))


def _replace_triggers(slots: dict[str, str]) -> None:
    """The trigger functions and triggers for these sets of columns: prefix of the names to the model's flag."""
    vector = vector_schema()

    def each(block: str, separator: str = "\n") -> str:
        parts = (
            block.format(slot=slot, flag=flag, vector=vector).strip("\n") for slot, flag in slots.items()
        )
        return separator.join(parts)

    _run(STALE, slots=each(STALE_SLOT))
    _run(NORMALIZE_ITEM, slots=each(NORMALIZE_ITEM_SLOT))
    _run(NORMALIZE_USER, slots=each(NORMALIZE_USER_SLOT))
    _run(KEEP, slots=each(KEEP_SLOT), prices=each(KEEP_PRICE_SLOT))
    _run(
        ENQUEUE,
        new_item_wants=each("m.{flag} and i.{slot}embedding is null", " or "),
        item_wants=each("m.{flag} and new.{slot}embedding is null", " or "),
    )
    _run(
        TRIGGERS,
        columns=each("{slot}embedding", ", "),
        is_given=each(IS_GIVEN, " or "),
        is_changed=each(IS_CHANGED, " or "),
        is_wanted=each(IS_WANTED, " or "),
    )


def upgrade() -> None:
    _run(MODELS)
    _run(COLUMNS, vector=vector_schema())
    _run(COPY)
    _replace_triggers({"": "is_active", "standby_": "is_standby"})


def downgrade() -> None:
    _replace_triggers({"": "is_active"})
    op.execute(DROP)
