"""Partial vector indexes and the sample of filters that advises them.

Revision ID: 0004
Revises: 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# Unlogged: a transaction that only read, and wrote a sample, commits without waiting for the disk. After a crash
# the sample is empty, on a replica it does not exist.
TABLES = """
create table recsys.search_indexes (
    index_name      name not null,
    category        text,
    tags            text[],
    attributes      jsonb,
    rule            text,
    rule_canonical  text,
    predicate       text not null,
    is_ready        boolean not null default false,
    requested_at    timestamptz not null default now(),
    built_at        timestamptz,
    built_rows      bigint,
    build_seconds   double precision,
    constraint search_indexes_pkey primary key (index_name),
    constraint search_indexes_index_name_check check (index_name ~ '^items_embedding_[0-9a-f]{8}_idx$'),
    constraint search_indexes_condition_check check (num_nonnulls(category, tags, attributes, rule) > 0),
    constraint search_indexes_tags_check check (cardinality(tags) > 0 and array_position(tags, null) is null),
    constraint search_indexes_attributes_check check (jsonb_typeof(attributes) = 'object'),
    constraint search_indexes_rule_check check ((rule is null) = (rule_canonical is null)),
    constraint search_indexes_built_at_check check (built_at is not null or not is_ready)
);

create unlogged table recsys.filter_samples (
    slot          integer not null,
    sampled_at    timestamptz not null default clock_timestamp(),
    searches      double precision not null,
    category      text,
    tags          text[],
    attributes    jsonb,
    rule          text,
    strategy      text,
    rows_passing  bigint,
    milliseconds  double precision not null,
    constraint filter_samples_pkey primary key (slot)
) with (fillfactor = 70);
create unlogged sequence recsys.filter_samples_slot_seq as integer
    minvalue 0 maxvalue 9999 cycle owned by recsys.filter_samples.slot;

insert into recsys.settings (key, value, description) values
    ('search.sample_share', '0.01', 'Share of the filtered searches that are sampled for index advice; 0 samples none.')
on conflict (key) do nothing;
"""

COMMENTS = """
comment on table recsys.search_indexes is
'Partial vector indexes on recsys.items that recsys-pg indexes was asked to build. A search uses one when its filter implies the condition.';
comment on column recsys.search_indexes.index_name is 'The index, in schema recsys; it holds a hash of the predicate.';
comment on column recsys.search_indexes.category is 'Condition: the item is in this category. NULL: of any.';
comment on column recsys.search_indexes.tags is 'Condition: the item has all of these tags, which are sorted. NULL: any.';
comment on column recsys.search_indexes.attributes is 'Condition: the item''s attributes contain this object. NULL: any.';
comment on column recsys.search_indexes.rule is 'Condition: the item passes this rule of recsys.filter_rules. NULL: none.';
comment on column recsys.search_indexes.rule_canonical is 'What the rule was when the index was asked for; a rule that has changed since is not served by it.';
comment on column recsys.search_indexes.predicate is 'The condition as SQL over item, a row of recsys.items, with literals: the WHERE of the index and of the searches that walk it.';
comment on column recsys.search_indexes.is_ready is 'The build has ended well. False while it runs, and after it was interrupted.';
comment on column recsys.search_indexes.requested_at is 'When the latest build began.';
comment on column recsys.search_indexes.built_rows is 'Items in the index when it was built.';
comment on column recsys.search_indexes.build_seconds is 'Time that the build took.';

comment on table recsys.filter_samples is
'Filters of searches that really ran: a ring of 10,000 slots, the oldest is replaced. Written by recsys_api._sample_filter, read by recsys-pg indexes.';
comment on column recsys.filter_samples.searches is 'How many searches the sample stands for: 1 / search.sample_share.';
comment on column recsys.filter_samples.category is 'The filter''s category, if it names exactly one.';
comment on column recsys.filter_samples.tags is 'The filter''s tags, sorted.';
comment on column recsys.filter_samples.strategy is 'How the search found its answer.';
comment on column recsys.filter_samples.rows_passing is 'Items that passed the whole filter, price and stock included, where the search counted them.';
comment on column recsys.filter_samples.milliseconds is 'Time that the search took.';
comment on sequence recsys.filter_samples_slot_seq is 'The next slot of recsys.filter_samples; its maximum is the size of the ring.';
"""


def upgrade() -> None:
    for block in (TABLES, COMMENTS):
        op.execute(sa.text(block.replace(":", r"\:")))


def downgrade() -> None:
    op.execute(
        """
        do $$
        declare
            object record;
        begin
            for object in
                select kind, identity from recsys.api_objects
                where name in ('recsys_api._search_index', 'recsys_api._sample_filter', 'recsys_api._index_predicate',
                    'recsys_report.search_indexes')
            loop
                execute format('drop %s if exists %s', object.kind, object.identity);
            end loop;
            for object in select index_name from recsys.search_indexes loop
                execute format('drop index if exists recsys.%I', object.index_name);
            end loop;
        end $$;
        delete from recsys.api_objects
        where name in ('recsys_api._search_index', 'recsys_api._sample_filter', 'recsys_api._index_predicate',
                    'recsys_report.search_indexes');
        drop table recsys.filter_samples, recsys.search_indexes;
        delete from recsys.settings where key = 'search.sample_share';
        """
    )
