"""Long targets, which are compared first; ids of a category or of a band of prices from an index alone.

Revision ID: 0013
Revises: 0012
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# What is null until the next training costs time, nothing else.
CLASSES = """
alter table recsys.models
    drop column long_items,
    drop column long_from,
    add column length_classes bytea,
    add column class_lengths real[],
    add column scanned_from real,
    add constraint models_scanned_from_check check (scanned_from in (0.5, 0.25, 0.125, 0.0625)),
    add constraint models_length_classes_check check (
        (length_classes is null) = (class_lengths is null)
        and (length_classes is null
            or decays is not null and length(length_classes) > 0 and cardinality(class_lengths) = 3));
alter table recsys.models alter column length_classes set storage external;
comment on column recsys.models.length_classes is
    'Two bits for each item, see recsys_api._length_class: 3 for the longest targets … 0. recsys_api._nearest_factors compares the long ones first.';
comment on column recsys.models.class_lengths is 'The length of the shortest target of class 1, 2 and 3.';
comment on column recsys.models.scanned_from is
    'The targets longer than this are so few that comparing all takes less time than walking through their indexes; NULL: there are too many. One of the limits of the bands that item_factors has indexes for.';
create index item_factors_length_idx on recsys.item_factors (length) where length > 0.0625;
"""

BITS = """
drop index recsys.item_factors_length_idx;
alter table recsys.models
    drop column length_classes,
    drop column class_lengths,
    drop column scanned_from,
    add column long_items bytea,
    add column long_from real,
    add constraint models_long_items_check check (
        (long_items is null) = (long_from is null) and (long_items is null or decays is not null and length(long_items) > 0));
alter table recsys.models alter column long_items set storage external;
comment on column recsys.models.long_items is
    'A bit for each item, number id modulo their number, set for the longest targets: recsys_api._nearest_factors compares these first.';
comment on column recsys.models.long_from is 'The length of the shortest target whose bit is set.';
"""

INDEXES = """
drop index recsys.searchable_items_category_idx, recsys.searchable_items_price_band_idx;
create index searchable_items_category_idx on recsys.searchable_items (category{id});
create index searchable_items_price_band_idx on recsys.searchable_items (price_band{id});
"""


def upgrade() -> None:
    op.execute(CLASSES)
    op.execute(INDEXES.format(id=", id"))


def downgrade() -> None:
    op.execute(BITS)
    op.execute(INDEXES.format(id=""))
