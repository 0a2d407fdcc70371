"""Filters of the application's own.

Revision ID: 0003
Revises: 0002
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLE = """
create table recsys.filter_rules (
    name        text not null,
    predicate   text not null,
    canonical   text not null,
    relation    text not null,
    created_at  timestamptz not null default now(),
    constraint filter_rules_pkey primary key (name),
    constraint filter_rules_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint filter_rules_predicate_check check (length(predicate) between 1 and 10000),
    constraint filter_rules_relation_check check (relation in ('searchable_items', 'items'))
);
comment on table recsys.filter_rules is
'Filters of the application''s own, by name. Written by recsys_api.define_rule, which checks them, and drop_rule.';
comment on column recsys.filter_rules.predicate is 'The condition as it was written.';
comment on column recsys.filter_rules.canonical is
'The condition as PostgreSQL prints it: all names with their schema, columns of the item as item.<column>. A search adds it.';
comment on column recsys.filter_rules.relation is
'searchable_items when its columns are enough, items when the condition needs others.';
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute(
        """
        do $$
        declare
            object record;
        begin
            for object in
                select kind, identity from recsys.api_objects where name = 'recsys_api._rule'
            loop
                execute format('drop %s if exists %s', object.kind, object.identity);
            end loop;
            if to_regtype('recsys_api.filter') is not null then
                alter type recsys_api.filter drop attribute if exists rule;
            end if;
        end $$;
        delete from recsys.api_objects where name = 'recsys_api._rule';
        drop table recsys.filter_rules;
        """
    )
