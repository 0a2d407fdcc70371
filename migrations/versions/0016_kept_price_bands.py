"""Price bands that a small change of the price leaves alone, wherever in its band the price was.

Revision ID: 0016
Revises: 0015
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


BANDS = """
create or replace function recsys.price_band(price numeric)
returns smallint language sql immutable strict parallel safe as $$
    select floor(ln(least(greatest(price, 1e-6), 1e12)::double precision) / ln({width}))::smallint
$$;
"""

COMMENT = """
comment on function recsys.price_band(numeric) is
'The band of a price; each is {wider} wider than the one below. Grows with the price, so a bound on prices is a bound on bands.';
comment on column recsys.searchable_items.price_band is '{kept}';
"""

KEPT = """
create function recsys.kept_price_band(band smallint, price numeric)
returns smallint language sql immutable parallel safe as $$
    select case when abs(recsys.price_band(price) - band) <= 6 then band else recsys.price_band(price) end
$$;
comment on function recsys.kept_price_band(smallint, numeric) is
'The band that an item of a band stays in or comes to with a new price: it stays where the price is no more than 6 bands (11 %) away, so that the update stays cheap (HOT). So the price of an item of band b lies in the bands b - 6 to b + 6.';
"""

# Prices and stock change most, so a function writes these three alone.
PRICES = """
create function recsys.keep_searchable_price() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update recsys.searchable_items s
    set price = new.price, price_band = recsys.kept_price_band(s.price_band, new.price), in_stock = new.in_stock
    where s.id = new.id;
    return null;
end $$;
comment on function recsys.keep_searchable_price() is
'Keeps price and stock of recsys.searchable_items in step with recsys.items. Security definer: who writes the catalogue needs no right on the copy.';
create trigger items_50_keep_changed_price after update on recsys.items
    for each row when (old.price is distinct from new.price or old.in_stock is distinct from new.in_stock)
    execute function recsys.keep_searchable_price();
"""

TRIGGER = """
drop trigger items_50_keep_changed_searchable on recsys.items;
create trigger items_50_keep_changed_searchable after update on recsys.items
    for each row when (
        {prices}old.category is distinct from new.category or old.tags is distinct from new.tags
        or old.attributes is distinct from new.attributes or old.created_at is distinct from new.created_at
        or old.embedding operator({vector}.<>) new.embedding
        or (old.embedding is null) <> (new.embedding is null))
    execute function recsys.keep_searchable_item();

create or replace function recsys.keep_searchable_item() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.embedding is null then
        delete from recsys.searchable_items s where s.id = new.id;
        return null;
    end if;
    if tg_op = 'UPDATE' then
        update recsys.searchable_items s
        set {price_columns}category = new.category, created_at = new.created_at, tags = new.tags,
            attributes = new.attributes
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
"""

# An update of all rows beside its index would write that twice.
REFILL = """
drop index recsys.searchable_items_price_band_idx;
update recsys.searchable_items set price_band = recsys.price_band(price)
where price_band is distinct from recsys.price_band(price);
create index searchable_items_price_band_idx on recsys.searchable_items (price_band, id);
"""


def _run(block: str, **parts: str) -> None:
    op.execute(sa.text(block.format(**parts).replace(":", r"\:")))


def upgrade() -> None:
    _run(BANDS, width="1.02")
    _run(
        COMMENT,
        wider="2 %",
        kept="The band that the price had, or recsys.kept_price_band since; indexed in place of the price,"
        " so that small price changes stay cheap (HOT).",
    )
    op.execute(KEPT)
    op.execute(PRICES)
    _run(TRIGGER, vector=vector_schema(), prices="", price_columns="")
    op.execute(REFILL)


def downgrade() -> None:
    _run(
        TRIGGER,
        vector=vector_schema(),
        prices="old.price is distinct from new.price or old.in_stock is distinct from new.in_stock or ",
        price_columns="price = new.price, price_band = recsys.price_band(new.price), in_stock = new.in_stock, ",
    )
    op.execute("drop trigger items_50_keep_changed_price on recsys.items")
    op.execute("drop function recsys.keep_searchable_price()")
    op.execute("drop function recsys.kept_price_band(smallint, numeric)")
    _run(BANDS, width="1.25")
    _run(
        COMMENT,
        wider="a quarter",
        kept="recsys.price_band(price), indexed in place of the price, so that most price changes stay cheap"
        " (HOT).",
    )
    op.execute(REFILL)
