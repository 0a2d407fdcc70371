"""Workers are told when items come into an empty queue.

Revision ID: 0014
Revises: 0013
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NOTIFY = """
create function recsys.may_wake_workers() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select not exists (
            select from recsys.embedding_jobs j where j.failed_at is null and j.available_at <= now())
        and not exists (select from recsys.settings s where s.key = 'worker.notify' and s.value = '0')
$$;
comment on function recsys.may_wake_workers() is
'Whether a new job is worth a NOTIFY: the queue has none that is due, so workers sleep. All commits that notify wait for each other, so a busy queue does without.';

create or replace function recsys.enqueue_embedding_jobs() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    may_wake boolean := recsys.may_wake_workers();
begin
    insert into recsys.embedding_jobs (item_id, model_id)
    select i.id, m.id
    from new_items i
    join recsys.models m on m.purpose = 'embedding' and m.is_active
    where i.embedding is null
    on conflict (item_id, model_id) do nothing;
    if found and may_wake then
        perform pg_notify('recsys_embedding_jobs', '');
    end if;
    return null;
end $$;

create or replace function recsys.enqueue_embedding_job() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    may_wake boolean := recsys.may_wake_workers();
begin
    insert into recsys.embedding_jobs as j (item_id, model_id)
    select new.id, m.id from recsys.models m where m.purpose = 'embedding' and m.is_active
    on conflict (item_id, model_id) do update
        set requested_at = now(), available_at = now(), attempts = 0,
            lease_token = null, last_error = null, failed_at = null;
    if found and may_wake then
        perform pg_notify('recsys_embedding_jobs', '');
    end if;
    return null;
end $$;

insert into recsys.settings (key, value, description) values
    ('worker.notify', '1',
        'Whether items that come into an empty queue wake the workers (NOTIFY); 0 where two-phase commit writes the catalogue, which allows none.');
"""

SILENT = """
create or replace function recsys.enqueue_embedding_jobs() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into recsys.embedding_jobs (item_id, model_id)
    select i.id, m.id
    from new_items i
    join recsys.models m on m.purpose = 'embedding' and m.is_active
    where i.embedding is null
    on conflict (item_id, model_id) do nothing;
    return null;
end $$;

create or replace function recsys.enqueue_embedding_job() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into recsys.embedding_jobs as j (item_id, model_id)
    select new.id, m.id from recsys.models m where m.purpose = 'embedding' and m.is_active
    on conflict (item_id, model_id) do update
        set requested_at = now(), available_at = now(), attempts = 0,
            lease_token = null, last_error = null, failed_at = null;
    return null;
end $$;

drop function recsys.may_wake_workers();
delete from recsys.settings where key = 'worker.notify';
"""


def upgrade() -> None:
    op.execute(NOTIFY)


def downgrade() -> None:
    op.execute(SILENT)
