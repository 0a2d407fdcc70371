"""Workers are told whose taste has changed.

Revision ID: 0018
Revises: 0017
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

CHANGES = """
create table recsys.taste_changes (
    id          bigint generated always as identity,
    user_id     bigint not null,
    changed_at  timestamptz not null default now(),
    constraint taste_changes_pkey primary key (id)
);
create index taste_changes_user_id_idx on recsys.taste_changes (user_id, changed_at);
create index taste_changes_changed_at_idx on recsys.taste_changes (changed_at);
comment on table recsys.taste_changes is
'Users who did something since their taste vector was computed, a row a statement: appended, and without a foreign key, so that nobody waits; a worker computes the tastes and deletes the rows. Safe to empty: training computes all tastes.';

create function recsys.note_taste_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- who is being deleted leaves no trace
    insert into recsys.taste_changes (user_id)
    select distinct c.user_id from changed c
    where tg_op = 'INSERT' or exists (select from recsys.users u where u.id = c.user_id);
    return null;
end $$;
comment on function recsys.note_taste_changes() is
'Tells workers whose taste has changed. Security definer: who records interactions needs no right on the list.';
create trigger interactions_10_note_recorded after insert on recsys.interactions
    referencing new table as changed for each statement execute function recsys.note_taste_changes();
create trigger interactions_10_note_deleted after delete on recsys.interactions
    referencing old table as changed for each statement execute function recsys.note_taste_changes();

insert into recsys.settings (key, value, description) values
    ('worker.taste_delay_seconds', '30',
        'Seconds without an interaction after which a worker computes a user''s taste vector anew; ten times as many at the latest.');
"""

NONE = """
drop trigger interactions_10_note_recorded on recsys.interactions;
drop trigger interactions_10_note_deleted on recsys.interactions;
drop function recsys.note_taste_changes();
drop table recsys.taste_changes;
delete from recsys.settings where key = 'worker.taste_delay_seconds';
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute(NONE)
