"""Learned vectors of items, a partition a model, and what the vectors cannot hold.

Revision ID: 0008
Revises: 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


# A model is loaded beside the active one into partitions of its own, indexed there, and attached; dropping it is
# dropping them, with no dead rows left in a vector index. Rows stay in line: a history is fetched by key.
TABLES = """
alter table recsys.models drop constraint models_purpose_check;
update recsys.models set purpose = 'collaborative' where purpose = 'neighbors';
alter table recsys.models
    add column decays double precision[],
    add column activated_at timestamptz,
    add constraint models_purpose_check check (purpose in ('embedding', 'collaborative')),
    add constraint models_decays_check check (
        decays is null or purpose = 'collaborative' and cardinality(decays) between 1 and 3
        and 0 < all (decays) and 1 >= all (decays));
update recsys.models set activated_at = created_at;
comment on column recsys.models.activated_at is 'When it became active for the last time; NULL if it never did.';
comment on column recsys.models.decays is
'Of a model with recsys.item_factors: for each time scale, what an item counts that is a step further back in a history.';

create table recsys.item_factors (
    model_id    bigint not null,
    item_id     bigint not null,
    target      {vector}.halfvec(384) not null,
    history     {vector}.halfvec(384)[] not null,
    is_learned  boolean not null default true,
    constraint item_factors_pkey primary key (model_id, item_id),
    constraint item_factors_model_id_fkey foreign key (model_id) references recsys.models (id),
    constraint item_factors_item_id_fkey foreign key (item_id) references recsys.items (id) on delete cascade,
    constraint item_factors_target_norm_check check ({vector}.l2_norm(target) between 0.99 and 1.01),
    constraint item_factors_history_check check (
        cardinality(history) between 1 and 3 and array_position(history, null) is null)
) partition by list (model_id);
alter table recsys.item_factors alter column target set storage plain, alter column history set storage main;
create index item_factors_item_id_idx on recsys.item_factors (item_id);
create index item_factors_target_idx on recsys.item_factors
    using hnsw (target {vector}.halfvec_cosine_ops) with (ef_construction = 200);
comment on table recsys.item_factors is
'What a trained model knows of an item. The score of an item for a user is the inner product of its target with the sum of the history vectors of what the user did, each times its weight, and the residuals.';
comment on column recsys.item_factors.target is 'Of unit length: the last of its components stands for what the learned length lacks.';
comment on column recsys.item_factors.history is 'One vector for each of recsys.models.decays.';
comment on column recsys.item_factors.is_learned is 'Learned from interactions; otherwise from what the item is.';

create table recsys.item_residuals (
    model_id      bigint not null,
    item_id       bigint not null,
    scale         smallint not null,
    neighbor_ids  bigint[] not null,
    weights       real[] not null,
    constraint item_residuals_pkey primary key (model_id, item_id, scale),
    constraint item_residuals_model_id_fkey foreign key (model_id) references recsys.models (id),
    constraint item_residuals_item_id_fkey foreign key (item_id) references recsys.items (id) on delete cascade,
    constraint item_residuals_scale_check check (scale between 1 and 3),
    constraint item_residuals_weights_check check (
        cardinality(neighbor_ids) = cardinality(weights) and array_position(weights, 'NaN') is null)
) partition by list (model_id);
create index item_residuals_item_id_idx on recsys.item_residuals (item_id);
comment on table recsys.item_residuals is
'What an item of a history adds to the scores of single items beyond the inner product of recsys.item_factors.';
comment on column recsys.item_residuals.scale is 'Which of recsys.models.decays, from 1.';

create table recsys.content_maps (
    model_id   bigint not null,
    part       smallint not null,
    dimension  smallint not null,
    weights    {vector}.vector(384) not null,
    bias       real not null,
    constraint content_maps_pkey primary key (model_id, part, dimension),
    constraint content_maps_model_id_fkey foreign key (model_id) references recsys.models (id) on delete cascade
);
comment on table recsys.content_maps is
'What an embedding says of the factors of an item that nobody knows yet: of each component of its target (part 0) and its history vectors (1, 2, …), the inner product with the embedding, and the bias.';
create table recsys.content_features (
    model_id  bigint not null,
    feature   text not null,
    part      smallint not null,
    factors   {vector}.vector(384) not null,
    constraint content_features_pkey primary key (model_id, feature, part),
    constraint content_features_model_id_fkey foreign key (model_id) references recsys.models (id) on delete cascade
);
comment on table recsys.content_features is
'What a category, a tag or an attribute adds to the factors of an item that nobody knows yet.';

create index items_unembedded_idx on recsys.items (id) where embedding is null;

create policy item_factors_of_visible_items on recsys.item_factors
    using (exists (select from recsys.items i where i.id = item_id));
create policy item_residuals_of_visible_items on recsys.item_residuals
    using (exists (select from recsys.items i where i.id = item_id));
"""


def upgrade() -> None:
    op.execute(TABLES.format(vector=vector_schema()))


def downgrade() -> None:
    op.execute(
        """
        drop index recsys.items_unembedded_idx;
        drop table recsys.item_residuals, recsys.item_factors, recsys.content_maps, recsys.content_features;
        alter table recsys.models drop constraint models_purpose_check, drop column decays, drop column activated_at;
        update recsys.models set purpose = 'neighbors' where purpose = 'collaborative';
        alter table recsys.models add constraint models_purpose_check check (purpose in ('embedding', 'neighbors'));
        """
    )
