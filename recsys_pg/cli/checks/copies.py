"""Check of the copies of the items that searches read, which triggers keep in step."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding

_REFRESH = "select * from recsys_api.refresh_copies();"
_SAMPLE = 500

# the triggers that copy, and the foreign keys, whose own triggers delete the copies of deleted items
_KEPT_BY = sa.text(
    """
    select w.kind, w.name, w.created_in, min(t.tgrelid::regclass::text) as disabled_on
    from (values
        ('Trigger', 'items_50_keep_new_searchable', 'recsys.items', '0002_searchable_items.py'),
        ('Trigger', 'items_50_keep_changed_price', 'recsys.items', '0016_kept_price_bands.py'),
        ('Trigger', 'items_50_keep_changed_searchable', 'recsys.items', '0016_kept_price_bands.py'),
        ('Trigger', 'items_60_keep_new_texts', 'recsys.items', '0005_text_search.py'),
        ('Trigger', 'items_60_keep_changed_text', 'recsys.items', '0005_text_search.py'),
        ('Constraint', 'searchable_items_id_fkey', 'recsys.searchable_items', '0002_searchable_items.py'),
        ('Constraint', 'item_texts_item_id_fkey', 'recsys.item_texts', '0005_text_search.py')
    ) w (kind, name, relation, created_in)
    left join pg_constraint c on c.conname = w.name and c.conrelid = w.relation::regclass
    left join pg_trigger t on t.tgconstraint = c.oid
        or (w.kind = 'Trigger' and t.tgname = w.name and t.tgrelid = w.relation::regclass)
    group by w.kind, w.name, w.created_in
    -- enabled are those that fire for ordinary sessions
    having count(t.oid) = 0 or count(*) filter (where t.tgenabled not in ('O', 'A')) > 0
    order by w.kind desc, w.name
    """
)
_COUNTS = sa.text(
    """
    select i.embedded, (select count(*) from recsys.searchable_items), i.total,
        (select count(*) from recsys.item_texts)
    from (select count(*) as total, count(embedding) as embedded from recsys.items) i
    """
)
_SIZES = sa.text(
    """
    select c.oid::regclass::text as name,
        pg_relation_size(c.oid) / current_setting('block_size')::integer as pages
    from unnest(array['recsys.items', 'recsys.searchable_items', 'recsys.item_texts']::regclass[]) c (oid)
    """
)
# the items of random pages, and those that random rows of the copies belong to, whether or not they exist
_SAMPLED = sa.text(
    """
    select array(
        select s.id from (
            select id from recsys.items tablesample system (:items)
            union select id from recsys.searchable_items tablesample system (:narrow)
            union select item_id from recsys.item_texts tablesample system (:texts)
        ) s order by random() limit :sample)
    """
)
_COMPARED = sa.text(
    "select copy, rows_missing, rows_wrong, rows_superfluous"
    " from recsys_api.refresh_copies(item_ids => cast(:ids as bigint[]), dry_run => true)"
)


def copies(connection: sa.Connection) -> Iterator[Finding]:
    """The copies of the items have as many rows as they should, a sample is equal, and triggers keep them.

    For a million items in memory it takes about a second: counting those with a vector reads the table once,
    as the check of items without a vector does. The sample of 500 items takes 0.1 s, however many there are.
    """
    found = [*_triggers(connection), *_counts(connection), *_sample(connection)]
    yield from found or [Finding("ok", "In step with the items, as far as numbers and a sample tell.")]


def _triggers(connection: sa.Connection) -> Iterator[Finding]:
    for kind, name, created_in, disabled_on in connection.execute(_KEPT_BY):
        if disabled_on is None:
            remedy = f"Create it as migrations/versions/{created_in} does, then run: {_REFRESH}"
            yield Finding("warn", f"{kind} {name}, which keeps a copy of the items, is missing.", remedy)
        else:
            which = name if kind == "Trigger" else "all"
            yield Finding(
                "warn",
                f"{kind} {name}, which keeps a copy of the items, is disabled.",
                f"Run: alter table {disabled_on} enable trigger {which}; then {_REFRESH}",
            )


def _counts(connection: sa.Connection) -> Iterator[Finding]:
    embedded, narrow, total, texts = connection.execute(_COUNTS).one()
    for copy, rows, expected, of in (
        ("searchable_items", narrow, embedded, "items with a vector"),
        ("item_texts", texts, total, "items"),
    ):
        if rows != expected:
            surplus = "missing" if rows < expected else "superfluous"
            yield Finding(
                "warn",
                f"recsys.{copy} has {rows:,} rows for {expected:,} {of}:"
                f" {abs(rows - expected):,} or more {surplus}.",
                f"Run: {_REFRESH}",
            )


def _sample(connection: sa.Connection) -> Iterator[Finding]:
    pages: dict[str, int] = {row.name: row.pages for row in connection.execute(_SIZES)}
    # about three items a page, a dozen rows of words, and two dozen narrow rows
    wanted = {"items": 200, "narrow": 10, "texts": 20}
    sizes = zip(wanted, ("items", "searchable_items", "item_texts"), strict=True)
    shares = {
        name: min(100.0, 100 * wanted[name] / max(pages[f"recsys.{table}"], 1)) for name, table in sizes
    }
    ids: list[int] = connection.scalar(_SAMPLED, shares | {"sample": _SAMPLE}) or []
    for copy, *numbers in connection.execute(_COMPARED, {"ids": ids}):
        kinds = zip(numbers, ("missing", "wrong", "superfluous"), strict=True)
        said = [f"{number:,} {kind}" for number, kind in kinds if number]
        if said:
            message = f"Of {len(ids):,} items, a random sample, {copy} has rows {', '.join(said)}."
            yield Finding("warn", message, f"Run: {_REFRESH}")
