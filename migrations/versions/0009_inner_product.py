"""Targets of items as long as they were learned, in an index of inner products.

Revision ID: 0009
Revises: 0008
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


# The last component of a target made up what its length lacked to 1, for an index of cosine distances. Between targets it
# is nearly all there is, so the graph of that index told them apart badly: on Gowalla it found .81 of the 20 largest inner
# products at ef_search 200, where a graph of inner products finds all at 100.
INNER_PRODUCT = """
drop index recsys.item_factors_target_idx;
alter table recsys.item_factors drop constraint item_factors_target_norm_check;
update recsys.item_factors
set target = ({vector}.subvector(target::{vector}.vector, 1, 383)::real[] || 0::real)::{vector}.halfvec;
alter table recsys.item_factors
    add constraint item_factors_target_length_check check ({vector}.l2_norm(target) <= 1.01),
    alter column history set storage external;
create index item_factors_target_idx on recsys.item_factors
    using hnsw (target {vector}.halfvec_ip_ops) with (ef_construction = 200);
comment on column recsys.item_factors.target is 'As a share of the longest learned one; popularity is in its length.';
"""

COSINE = """
drop index recsys.item_factors_target_idx;
alter table recsys.item_factors drop constraint item_factors_target_length_check;
update recsys.item_factors
set target = ({vector}.subvector(target::{vector}.vector, 1, 383)::real[] || sqrt(greatest(0,
    1 - {vector}.vector_norm({vector}.subvector(target::{vector}.vector, 1, 383)) ^ 2))::real)::{vector}.halfvec;
alter table recsys.item_factors
    add constraint item_factors_target_norm_check check ({vector}.l2_norm(target) between 0.99 and 1.01),
    alter column history set storage main;
create index item_factors_target_idx on recsys.item_factors
    using hnsw (target {vector}.halfvec_cosine_ops) with (ef_construction = 200);
comment on column recsys.item_factors.target is 'Of unit length: the last of its components stands for what the learned length lacks.';
"""


def upgrade() -> None:
    op.execute(INNER_PRODUCT.format(vector=vector_schema()))


def downgrade() -> None:
    op.execute(COSINE.format(vector=vector_schema()))
