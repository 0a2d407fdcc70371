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
# so each band, half as long as the one before, has its own. The last one holds most of the targets and few of the best.
BANDS = """
drop index recsys.item_factors_target_idx;
create index item_factors_band_1_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where {vector}.l2_norm(target) > 0.25;
create index item_factors_band_2_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where {vector}.l2_norm(target) > 0.125 and {vector}.l2_norm(target) <= 0.25;
create index item_factors_band_3_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    with (ef_construction = 200) where {vector}.l2_norm(target) > 0.0625 and {vector}.l2_norm(target) <= 0.125;
create index item_factors_band_4_idx on recsys.item_factors using hnsw (target {vector}.halfvec_ip_ops)
    where {vector}.l2_norm(target) <= 0.0625;
"""

ONE = """
drop index recsys.item_factors_band_1_idx, recsys.item_factors_band_2_idx,
    recsys.item_factors_band_3_idx, recsys.item_factors_band_4_idx;
create index item_factors_target_idx on recsys.item_factors
    using hnsw (target {vector}.halfvec_ip_ops) with (ef_construction = 200);
"""


def upgrade() -> None:
    op.execute(BANDS.format(vector=vector_schema()))


def downgrade() -> None:
    op.execute(ONE.format(vector=vector_schema()))
