"""Scenarios, which are stored controls of a list, and what was shown to whom.

Revision ID: 0010
Revises: 0009
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# recsys_api.filter is rebuilt after the migrations, so its attributes are columns here
FILTER_COLUMNS = """
    categories        text[],
    in_stock          boolean,
    min_price         numeric,
    max_price         numeric,
    tags              text[],
    attributes        jsonb,
    item_ids          bigint[],
    exclude_item_ids  bigint[],
    rule              text,
"""

SCENARIOS = f"""
create table recsys.scenarios (
    name                text not null,
    method              text,
    exclude_seen        boolean,
    diversity           double precision,
    max_per_category    integer,
    popularity_damping  double precision,
    rotation            double precision,
    rotation_half_life  interval,
    new_item_share      double precision,
    {FILTER_COLUMNS}
    updated_at          timestamptz not null default now(),
    constraint scenarios_pkey primary key (name),
    constraint scenarios_rule_fkey foreign key (rule) references recsys.filter_rules (name),
    constraint scenarios_name_check check (name ~ '^[a-z][a-z0-9_]{{0,62}}$'),
    constraint scenarios_method_check check (
        method in ('hybrid', 'item_based', 'user_based', 'content', 'popular')),
    constraint scenarios_shares_check check (
        diversity between 0 and 1 and popularity_damping between 0 and 1 and rotation between 0 and 1
        and new_item_share between 0 and 1),
    constraint scenarios_max_per_category_check check (max_per_category between 1 and 1000),
    constraint scenarios_rotation_half_life_check check (
        rotation_half_life between interval '1 second' and interval '10 years')
);
comment on table recsys.scenarios is
'Controls of a list under a name; NULL leaves one to the call. Written by recsys_api.define_scenario, which checks them, and drop_scenario.';

create table recsys.scenario_boosts (
    scenario  text not null,
    position  smallint not null,
    factor    double precision not null,
    {FILTER_COLUMNS}
    constraint scenario_boosts_pkey primary key (scenario, position),
    constraint scenario_boosts_scenario_fkey
        foreign key (scenario) references recsys.scenarios (name) on delete cascade,
    constraint scenario_boosts_rule_fkey foreign key (rule) references recsys.filter_rules (name),
    constraint scenario_boosts_factor_check check (factor between 0.001 and 1000)
);
comment on table recsys.scenario_boosts is
'By which factor a scenario multiplies the scores of the items that pass a filter.';

create table recsys.scenario_pins (
    scenario  text not null,
    place     integer not null,
    item_id   bigint not null,
    constraint scenario_pins_pkey primary key (scenario, place),
    constraint scenario_pins_scenario_item_id_key unique (scenario, item_id),
    constraint scenario_pins_scenario_fkey
        foreign key (scenario) references recsys.scenarios (name) on delete cascade,
    constraint scenario_pins_item_id_fkey
        foreign key (item_id) references recsys.items (id) on delete cascade,
    constraint scenario_pins_place_check check (place between 1 and 1000)
);
create index scenario_pins_item_id_idx on recsys.scenario_pins (item_id);
comment on table recsys.scenario_pins is
'Which item a scenario puts at which place of the list, as long as it passes the filter.';
"""

# updates move no index entry, and find room in their page
IMPRESSIONS = """
create table recsys.impressions (
    user_id   bigint not null,
    item_id   bigint not null,
    shown_at  timestamptz not null,
    times     integer not null default 1,
    constraint impressions_pkey primary key (user_id, item_id),
    constraint impressions_user_id_fkey
        foreign key (user_id) references recsys.users (id) on delete cascade,
    constraint impressions_item_id_fkey
        foreign key (item_id) references recsys.items (id) on delete cascade,
    constraint impressions_times_check check (times > 0)
) with (fillfactor = 80);
create index impressions_item_id_idx on recsys.impressions (item_id);
comment on table recsys.impressions is
'What was shown to whom: a row a user and item, written by recsys_api.record_impressions, read by rotation.';
comment on column recsys.impressions.shown_at is 'When it was shown for the last time.';
comment on column recsys.impressions.times is 'How often it was shown since it is here.';
"""

# the newest items, which new_item_share chooses from; with id itself in it, and all items of one time, it would serve for
# looking up ids too, until they are of many
NEWEST = """
create index items_created_at_idx on recsys.items (created_at desc, (-id));
insert into recsys.settings (key, value, description) values
    ('new_items.interactions', '10', 'Below so many interactions an item counts as new for new_item_share.'),
    ('impressions.length', '500', 'Items a user of which is kept when they were shown last.');
"""


def upgrade() -> None:
    op.execute(SCENARIOS)
    op.execute(IMPRESSIONS)
    op.execute(NEWEST)


def downgrade() -> None:
    # what has the types in its signature goes before them, and they before the filter that they hold
    op.execute(
        """
        do $$
        declare
            object record;
        begin
            for object in
                select o.kind, o.identity from recsys.api_objects o
                join unnest(array['_recommend', '_rerank', '_further_candidates', '_adjustments', '_resolve_controls',
                    '_check_controls', '_check_boosts', '_check_pins', 'define_scenario', 'item_boost', 'item_pin',
                    '_controls', 'boost', 'pin']) with ordinality n (name, position)
                    on o.name = 'recsys_api.' || n.name
                order by n.position
            loop
                execute format('drop %s if exists %s', object.kind, object.identity);
                delete from recsys.api_objects o where o.kind = object.kind and o.identity = object.identity;
            end loop;
        end $$;
        delete from recsys.settings where key in ('new_items.interactions', 'impressions.length');
        drop index recsys.items_created_at_idx;
        drop table recsys.impressions, recsys.scenario_pins, recsys.scenario_boosts, recsys.scenarios;
        """
    )
