"""Defaults of vector search, measured anew; checks on the sample of filters; prices below 1e-300.

Revision ID: 0007
Revises: 0006
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# what somebody has set, or calibrated, stays
SETTINGS = """
update recsys.settings s
set value = case when s.value = n.old_value then n.value else s.value end, description = n.description
from (values
    ('search.ef_search', '250'::jsonb, '300'::jsonb,
        'Breadth of the walk through the vector index (hnsw.ef_search), 10 to 1000; recsys-pg calibrate measures it.'),
    ('search.exact_limit', '400', '100',
        'Of a filter that at most this many items pass, all vectors are compared; recsys-pg calibrate measures it.'),
    ('search.scan_limit', '50000', '30000',
        'Codes that are scanned in the time of the broadest walk through the vector index, which tells what a search tries first; recsys-pg calibrate measures it.')
) n (key, old_value, value, description)
where s.key = n.key;
"""

# the same bands; only prices that no double precision number holds were refused
PRICE_BAND = """
create or replace function recsys.price_band(price numeric)
returns smallint language sql immutable strict parallel safe as $$
    select floor(ln(least(greatest(price, 1e-6), 1e12)::double precision) / ln(1.25))::smallint
$$;
"""

CHECKS = """
alter table recsys.filter_samples
    add constraint filter_samples_searches_check check (searches > 0),
    add constraint filter_samples_milliseconds_check check (milliseconds >= 0),
    add constraint filter_samples_rows_passing_check check (rows_passing >= 0),
    add constraint filter_samples_strategy_check check (strategy in (
        'partial_index', 'exact', 'index_walk', 'code_scan', 'full_scan'));
"""


def upgrade() -> None:
    op.execute(SETTINGS)
    op.execute(PRICE_BAND)
    op.execute("truncate recsys.filter_samples")  # timed with another search
    op.execute(CHECKS)


def downgrade() -> None:
    op.execute(
        """
        create or replace function recsys.price_band(price numeric)
        returns smallint language sql immutable strict parallel safe as $$
            select floor(ln(greatest(least(price, 1e12)::double precision, 1e-6)) / ln(1.25))::smallint
        $$;
        alter table recsys.filter_samples
            drop constraint filter_samples_searches_check, drop constraint filter_samples_milliseconds_check,
            drop constraint filter_samples_rows_passing_check, drop constraint filter_samples_strategy_check;
        update recsys.settings set value = '250' where key = 'search.ef_search' and value = '300';
        update recsys.settings set value = '400' where key = 'search.exact_limit' and value = '100';
        update recsys.settings set value = '50000' where key = 'search.scan_limit' and value = '30000';
        """
    )
