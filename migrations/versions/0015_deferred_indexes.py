"""Vector indexes that a large load dropped, to be built when it ends.

Revision ID: 0015
Revises: 0014
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLE = """
create table recsys.deferred_indexes (
    index_name   text not null,
    definition   text not null,
    deferred_at  timestamptz not null default now(),
    constraint deferred_indexes_pkey primary key (index_name)
);
comment on table recsys.deferred_indexes is
'Vector indexes of recsys that a load of many items dropped, since building one anew takes less time than keeping it; with what builds them. The load, or whatever worker runs next, does.';
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute(
        """
        do $$
        declare
            definition text;
        begin
            for definition in select d.definition from recsys.deferred_indexes d
                where to_regclass('recsys.' || d.index_name) is null
            loop
                execute definition;
            end loop;
        end $$;
        drop table recsys.deferred_indexes;
        """
    )
