"""The narrow rows that filtered search scans: an item's filter columns and its quantised embedding.

Revision ID: 0002
Revises: 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


FUNCTIONS = """
create function recsys.embedding_code(embedding {vector}.vector)
returns bit(1152) language sql immutable strict parallel safe as $$
    select (
        {vector}.binary_quantize(embedding operator({vector}.-) array_fill(0.0357::real, '{{384}}')::{vector}.vector)
        || {vector}.binary_quantize(embedding)
        || {vector}.binary_quantize(embedding operator({vector}.+) array_fill(0.0357::real, '{{384}}')::{vector}.vector)
    )::bit(1152)
$$;
comment on function recsys.embedding_code({vector}.vector) is
'A unit vector in four levels a component, as a thermometer code of three bits: above .0357 (.7 of the root mean square), above 0, above -.0357. The Hamming distance of two codes is the city-block distance of their levels.';

create function recsys.price_band(price numeric)
returns smallint language sql immutable strict parallel safe as $$
    select floor(ln(greatest(least(price, 1e12)::double precision, 1e-6)) / ln(1.25))::smallint
$$;
comment on function recsys.price_band(numeric) is
'The band of a price; each is a quarter wider than the one below. Grows with the price, so a bound on prices is a bound on bands, yet a small change of the price leaves it as it is.';
"""

TABLE = """
create table recsys.searchable_items (
    id          bigint not null,
    price       numeric,
    price_band  smallint,
    in_stock    boolean not null,
    category    text,
    created_at  timestamptz not null,
    code        bit(1152) not null,
    tags        text[] not null,
    attributes  jsonb not null,
    constraint searchable_items_pkey primary key (id),
    constraint searchable_items_id_fkey foreign key (id)
        references recsys.items (id) on update cascade on delete cascade
) with (fillfactor = 85);
alter table recsys.searchable_items alter column code set storage plain;

create policy searchable_items_hidden on recsys.searchable_items
    using (not row_security_active('recsys.items'));
comment on policy searchable_items_hidden on recsys.searchable_items is
'Takes effect when row-level security is enabled for this table, which recsys-pg migrate does when it is for recsys.items.';

comment on table recsys.searchable_items is
'Each item that has an embedding, once more in a tenth of the room: what filters ask for, and the embedding as a code. Kept by triggers on recsys.items.';
comment on column recsys.searchable_items.price_band is
'recsys.price_band(price), indexed in place of the price, so that most price changes stay cheap (HOT).';
comment on column recsys.searchable_items.code is 'recsys.embedding_code(embedding), compared by Hamming distance.';

insert into recsys.searchable_items
    (id, price, price_band, in_stock, category, created_at, code, tags, attributes)
select i.id, i.price, recsys.price_band(i.price), i.in_stock, i.category, i.created_at,
    recsys.embedding_code(i.embedding), i.tags, i.attributes
from recsys.items i
where i.embedding is not null
order by i.id;

create index searchable_items_category_idx on recsys.searchable_items (category);
create index searchable_items_price_band_idx on recsys.searchable_items (price_band);
create index searchable_items_tags_idx on recsys.searchable_items using gin (tags) with (fastupdate = off);
create index searchable_items_attributes_idx
    on recsys.searchable_items using gin (attributes jsonb_path_ops) with (fastupdate = off);
"""

TRIGGERS = """
create function recsys.keep_searchable_item() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.embedding is null then
        delete from recsys.searchable_items s where s.id = new.id;
        return null;
    end if;
    if tg_op = 'UPDATE' then
        update recsys.searchable_items s
        set price = new.price, price_band = recsys.price_band(new.price), in_stock = new.in_stock,
            category = new.category, created_at = new.created_at, tags = new.tags, attributes = new.attributes
        where s.id = new.id and new.embedding operator({vector}.=) old.embedding;
        if found then
            return null;
        end if;
    end if;
    insert into recsys.searchable_items
        (id, price, price_band, in_stock, category, created_at, code, tags, attributes)
    values (new.id, new.price, recsys.price_band(new.price), new.in_stock, new.category, new.created_at,
        recsys.embedding_code(new.embedding), new.tags, new.attributes)
    on conflict (id) do update set (price, price_band, in_stock, category, created_at, code, tags, attributes) =
        (excluded.price, excluded.price_band, excluded.in_stock, excluded.category, excluded.created_at,
        excluded.code, excluded.tags, excluded.attributes);
    return null;
end $$;
comment on function recsys.keep_searchable_item() is
'Keeps recsys.searchable_items in step with recsys.items. Security definer: who writes the catalogue needs no right on the copy.';
create trigger items_50_keep_new_searchable after insert on recsys.items
    for each row when (new.embedding is not null) execute function recsys.keep_searchable_item();
create trigger items_50_keep_changed_searchable after update on recsys.items
    for each row when (
        old.price is distinct from new.price or old.in_stock is distinct from new.in_stock
        or old.category is distinct from new.category or old.tags is distinct from new.tags
        or old.attributes is distinct from new.attributes or old.created_at is distinct from new.created_at
        or old.embedding operator({vector}.<>) new.embedding
        or (old.embedding is null) <> (new.embedding is null))
    execute function recsys.keep_searchable_item();
"""

SETTINGS = """
alter table recsys.settings drop constraint settings_value_check;
alter table recsys.settings add constraint settings_value_check check (
    jsonb_typeof(value) = 'number' and (value #>> '{{}}')::numeric >= 0 and (value #>> '{{}}')::numeric <= 1e9
    and (key <> 'popularity.half_life_days' or (value #>> '{{}}')::numeric > 0)
    and (key <> 'search.ef_search' or (value #>> '{{}}')::numeric between 1 and 1000)
    and (key <> 'search.rerank' or (value #>> '{{}}')::numeric <= 100000)
    and (key <> 'search.sample_share' or (value #>> '{{}}')::numeric <= 1)
);
update recsys.settings s
-- a graph that was built with less care needs the broader walk
set value = case when s.value <> n.old_value then s.value
        when s.key = 'search.ef_search' and exists (select from recsys.items i where i.embedding is not null)
            then s.value
        else n.value end,
    description = n.description
from (values
    ('search.ef_search', '400'::jsonb, '250'::jsonb,
        'Breadth of the walk through the vector index (hnsw.ef_search), 10 to 1000; recsys-pg calibrate measures it.'),
    ('search.exact_limit', '10000', '400',
        'A filter that at most this many items pass is searched exactly; recsys-pg calibrate measures it.')
) n (key, old_value, value, description)
where s.key = n.key;
insert into recsys.settings (key, value, description) values
    ('search.rerank', '100',
        'Best items by code whose vectors a scan of codes compares; recsys-pg calibrate measures it.'),
    ('search.scan_limit', '50000',
        'Where more items than this pass a filter, the vector index is tried before a scan of their codes; recsys-pg calibrate measures it.');
"""


def upgrade() -> None:
    vector = vector_schema()
    for block in (FUNCTIONS, TABLE, TRIGGERS, SETTINGS):
        op.execute(sa.text(block.format(vector=vector).replace(":", r"\:")))


def downgrade() -> None:
    vector = vector_schema()
    op.execute(
        f"""
        drop trigger items_50_keep_new_searchable on recsys.items;
        drop trigger items_50_keep_changed_searchable on recsys.items;
        drop function recsys.keep_searchable_item();
        drop table recsys.searchable_items;
        drop function recsys.price_band(numeric), recsys.embedding_code({vector}.vector);
        delete from recsys.settings where key in ('search.rerank', 'search.scan_limit');
        update recsys.settings set value = '10000' where key = 'search.exact_limit' and value = '400';
        update recsys.settings set value = '400' where key = 'search.ef_search' and value = '250';
        alter table recsys.settings drop constraint settings_value_check;
        alter table recsys.settings add constraint settings_value_check check (
            jsonb_typeof(value) = 'number' and (value #>> '{{}}')::numeric >= 0
            and (key <> 'popularity.half_life_days' or (value #>> '{{}}')::numeric > 0)
        );
        """
    )
