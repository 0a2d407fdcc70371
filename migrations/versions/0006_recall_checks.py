"""The history of recall checks.

Revision ID: 0006
Revises: 0005
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLE = """
create table recsys.recall_checks (
    checked_at    timestamptz not null,
    band          text not null,
    strategy      text not null,
    n             integer not null,
    items         bigint not null,
    searches      bigint not null,
    recall        double precision not null,
    worst_recall  double precision not null,
    rows_missing  bigint not null,
    milliseconds  double precision not null,
    constraint recall_checks_pkey primary key (checked_at, band, strategy),
    constraint recall_checks_band_check check (band in (
        '100 %', '50 to 100 %', '10 to 50 %', '3 to 10 %', '1 to 3 %', '0.1 to 1 %', 'below 0.1 %')),
    constraint recall_checks_recall_check check (recall between 0 and 1 and worst_recall between 0 and 1)
);
comment on table recsys.recall_checks is
'What recsys_api.check_recall found, one row for each band and strategy of a check.';
comment on column recsys.recall_checks.checked_at is 'When the check began; the rows of one check share it.';
comment on column recsys.recall_checks.band is 'Share of the items with an embedding that pass the filter.';
comment on column recsys.recall_checks.strategy is 'The strategy that gave the answers, as recsys_api.explain_search names it.';
comment on column recsys.recall_checks.n is 'Length of the lists.';
comment on column recsys.recall_checks.items is 'Items that had an embedding.';
comment on column recsys.recall_checks.recall is 'Mean share of the n nearest that the searches found.';
comment on column recsys.recall_checks.worst_recall is 'The same of the search that found least.';
comment on column recsys.recall_checks.rows_missing is 'Rows that the searches returned fewer than they should: 0, or something is broken.';
comment on column recsys.recall_checks.milliseconds is 'Median time of a search.';
"""


def upgrade() -> None:
    op.execute(sa.text(TABLE.replace(":", r"\:")))


def downgrade() -> None:
    op.execute(
        """
        do $$
        declare
            object record;
        begin
            for object in
                delete from recsys.api_objects
                where name in ('recsys_report.recall_checks', 'recsys_api.check_recall',
                    'recsys_api._recall_searches', 'recsys_api._judge_search', 'recsys_api._exact_answer')
                returning kind, identity
            loop
                execute format('drop %s if exists %s', object.kind, object.identity);
            end loop;
        end $$;
        drop table recsys.recall_checks;
        """
    )
