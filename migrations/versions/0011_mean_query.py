"""What the mean user's query adds to that of somebody of whom little is known.

Revision ID: 0011
Revises: 0010
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

MEAN_QUERY = """
alter table recsys.models
    add column mean_query {vector}.vector(384),
    add column fade double precision,
    add constraint models_mean_query_check check (
        (mean_query is null) = (fade is null) and (mean_query is null or decays is not null)),
    add constraint models_fade_check check (fade > 0 and fade < 'Infinity');
comment on column recsys.models.mean_query is
    'Added to the query vector of somebody who liked something, times 2 ^ (-the sum of absolute weights of the history / fade).';
comment on column recsys.models.fade is 'Sum of weights of a history at which mean_query counts half.';
"""


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


def upgrade() -> None:
    op.execute(MEAN_QUERY.format(vector=vector_schema()))


def downgrade() -> None:
    op.execute("alter table recsys.models drop column mean_query, drop column fade;")
