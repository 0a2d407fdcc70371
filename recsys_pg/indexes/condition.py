"""The condition of a partial vector index: what it may say, and the predicate that it becomes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import psycopg
from psycopg.types.json import Jsonb

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import ItemFilter

_STEADY_COLUMNS = (
    "id",
    "external_id",
    "title",
    "description",
    "category",
    "tags",
    "attributes",
    "created_at",
)
_TOO_OFTEN = "what changes often would have to be written to the index each time."

Connection: TypeAlias = psycopg.Connection[Any]


@dataclass(frozen=True, kw_only=True)
class IndexCondition:
    """Which items a partial index holds; at least one part is set, and all that are set must hold.

    Attributes:
        category: the items of this category.
        tags: the items that have all of these tags.
        attributes: the items whose attributes contain this object.
        rule: the items that pass this rule of recsys.filter_rules.
    """

    category: str | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] | None = None
    rule: str | None = None

    def __str__(self) -> str:
        """The condition for people: ``category Drama, tag classic``."""
        parts = [f"category {self.category}"] if self.category is not None else []
        parts += [f"tag {tag}" for tag in self.tags]
        parts += [f"{key} = {json.dumps(value)}" for key, value in (self.attributes or {}).items()]
        parts += [f"rule {self.rule}"] if self.rule is not None else []
        return ", ".join(parts)

    @classmethod
    def of_columns(
        cls,
        category: str | None,
        tags: Sequence[str] | None,
        attributes: Mapping[str, Any] | None,
        rule: str | None,
    ) -> "IndexCondition":
        """The condition that the columns of these names of a table of ours say."""
        return cls(category=category, tags=tuple(tags or ()), attributes=attributes, rule=rule)

    @classmethod
    def of_filter(cls, filter: ItemFilter) -> "IndexCondition":
        """The condition that holds exactly what a filter lets pass.

        Raises:
            InvalidArgumentError: the filter has a part that no index can have, or none.
        """
        unfit = [
            field.name
            for field in fields(filter)
            if field.name not in ("categories", "tags", "attributes", "rule")
            and getattr(filter, field.name) is not None
        ]
        if unfit:
            raise InvalidArgumentError(
                f"The filter has {', '.join(unfit)}, which no vector index can have.",
                f"Leave it out: {_TOO_OFTEN}",
            )
        if filter.categories is not None and len(set(filter.categories)) != 1:
            raise InvalidArgumentError(
                f"The filter has {len(set(filter.categories))} categories, an index has one.",
                "Build an index for each category.",
            )
        condition = cls(
            category=filter.categories[0] if filter.categories else None,
            tags=tuple(sorted(set(filter.tags or ()))),
            attributes=filter.attributes or None,
            rule=filter.rule,
        )
        if condition == cls():
            raise InvalidArgumentError(
                "The filter sets no condition.",
                "Set a category, tags, attributes or a rule; all items have an index already.",
            )
        return condition

    def parameters(self) -> dict[str, Any]:
        """The values of the columns of recsys.search_indexes that say the condition."""
        return {
            "category": self.category,
            "tags": list(self.tags) or None,
            "attributes": None if self.attributes is None else Jsonb(dict(self.attributes)),
            "rule": self.rule,
        }


def index_of(connection: Connection, condition: IndexCondition) -> tuple[str, str]:
    """The name of the index with a condition, and its predicate.

    The predicate is SQL over ``item`` with literals, which searches that walk the index have word for word.

    Raises:
        InvalidArgumentError: the rule does not exist.
    """
    row = connection.execute(
        "select format('items_embedding_%%s_idx', left(md5(p.predicate), 8)), p.predicate"
        " from recsys_api._index_predicate(%(category)s::text, %(tags)s::text[], %(attributes)s::jsonb,"
        " %(rule)s::text) p (predicate) where p.predicate is not null",
        condition.parameters(),
    ).fetchone()
    if row is None:
        raise InvalidArgumentError(
            f"The rule {condition.rule!r} does not exist.", "Those that do are in recsys.filter_rules."
        )
    name, predicate = row
    return name, predicate


def count_items(connection: Connection, condition: IndexCondition, predicate: str) -> int:
    """How many items with an embedding meet the condition."""
    needs_items = connection.execute(
        "select from recsys.filter_rules where name = %s and relation = 'items'", (condition.rule,)
    ).fetchone()
    # the narrow table has those with an embedding only, and most columns that a rule may read
    source = (
        "recsys.searchable_items item where true"
        if needs_items is None
        else "recsys.items item where item.embedding is not null"
    )
    (count,) = connection.execute(f"select count(*) from {source} and ({predicate})".encode()).fetchone() or (
        0,
    )
    return int(count)


def index_expression(connection: Connection, condition: IndexCondition, predicate: str) -> str:
    """The predicate as the WHERE of an index has it, without ``item.`` before the columns.

    It is read off an index that PostgreSQL makes on an empty temporary copy of the table, in a transaction
    that is rolled back; so PostgreSQL itself says what an index may hold. Meant under search_path pg_catalog.

    Raises:
        InvalidArgumentError: the rule reads a column that changes often, or another table, or calls a
            function whose result may change.
    """
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("set local search_path = pg_catalog")
            connection.execute("create temporary table item (like recsys.items)")
            connection.execute(f"create index item_probe_idx on pg_temp.item (id) where {predicate}".encode())
            expression, columns = connection.execute(
                """
                select pg_get_expr(i.indpred, i.indrelid), array(
                    select a.attname::text from pg_depend d
                    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
                    where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                        and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
                        and a.attname <> all (%s) order by 1)
                from pg_index i where i.indexrelid = 'pg_temp.item_probe_idx'::regclass
                """,
                (list(_STEADY_COLUMNS),),
            ).fetchone() or ("", [])
    except (psycopg.errors.ProgrammingError, psycopg.errors.NotSupportedError) as error:
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise
        raise InvalidArgumentError(
            f"No index can have the rule {condition.rule!r}: {error.diag.message_primary}.",
            "An index takes columns of the item and immutable functions alone.",
        ) from error
    if columns:
        raise InvalidArgumentError(
            f"No vector index can have the rule {condition.rule!r}, which reads {', '.join(columns)}.",
            f"Leave these columns to the filter: {_TOO_OFTEN}",
        )
    return str(expression)


def is_indexable(connection: Connection, condition: IndexCondition, predicate: str) -> bool:
    """Whether an index can have the condition. Only a rule may say what an index cannot."""
    if condition.rule is not None:
        try:
            index_expression(connection, condition, predicate)
        except InvalidArgumentError:
            return False
    return True
