"""Targets of items in an index for each band of lengths.

Revision ID: 0012
Revises: 0011
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


# In one graph of inner products the longest targets hide the others. Where lengths differ little it finds what there is:
# so each band, half as long as the one before, has its own; and short ones need not be looked into where enough larger
# products are known than they are likely to hold.
BANDS = """
drop index recsys.item_factors_target_idx;
alter table recsys.item_factors add column length real not null generated always as ({vector}.l2_norm(target)) stored;
comment on column recsys.item_factors.length is 'Of the target.';
alter table recsys.models
    add column long_items bytea,
    add column long_from real,
    add constraint models_long_items_check check (
        (long_items is null) = (long_from is null) and (long_items is null or decays is not null and length(long_items) > 0));
alter table recsys.models alter column long_items set storage external;
comment on column recsys.models.long_items is
    'A bit for each item, number id modulo their number, set for the longest targets: recsys_api._nearest_factors compares these first.';
comment on column recsys.models.long_from is 'The length of the shortest target whose bit is set.';
create index item_factors_band_1_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where length > 0.5;
create index item_factors_band_2_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where length > 0.25 and length <= 0.5;
create index item_factors_band_3_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where length > 0.125 and length <= 0.25;
create index item_factors_band_4_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where length > 0.0625 and length <= 0.125;
create index item_factors_band_5_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    where length > 0.03125 and length <= 0.0625;
create index item_factors_band_6_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    where length > 0.015625 and length <= 0.03125;
create index item_factors_band_7_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    where length <= 0.015625;
"""

ONE = """
drop index recsys.item_factors_band_1_idx, recsys.item_factors_band_2_idx, recsys.item_factors_band_3_idx,
    recsys.item_factors_band_4_idx, recsys.item_factors_band_5_idx, recsys.item_factors_band_6_idx,
    recsys.item_factors_band_7_idx;
alter table recsys.item_factors drop column length;
alter table recsys.models drop column long_items, drop column long_from;
create index item_factors_target_idx on recsys.item_factors
    using hnsw (target {vector}.halfvec_ip_ops) with (ef_construction = 200);
"""


# What the indexes of models that are there need, up to 2 GB; without workers, for which /dev/shm might be too small.
MEMORY = """
select set_config('maintenance_work_mem', greatest(
        pg_size_bytes(current_setting('maintenance_work_mem')) / 1024,
        least(2097152, 16384 + (select coalesce(max(c.reltuples), 0)::bigint * 1625 / 1024
            from pg_inherits h join pg_class c on c.oid = h.inhrelid
            where h.inhparent = 'recsys.item_factors'::regclass)))::text, true),
    set_config('max_parallel_maintenance_workers', '0', true);
"""


def upgrade() -> None:
    op.execute(MEMORY)
    op.execute(BANDS.format(vector=vector_schema()))


def downgrade() -> None:
    op.execute(MEMORY)
    op.execute(ONE.format(vector=vector_schema()))
