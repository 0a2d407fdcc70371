"""What goes in and what comes out: frozen dataclasses and the names of choices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias

from recsys_pg.errors import InvalidArgumentError

Method: TypeAlias = Literal["hybrid", "item_based", "user_based", "content", "popular"]
"""How `recommend_for_user` ranks."""

Placement: TypeAlias = Literal["score", "boost", "pin", "exploration"]
"""What put an item into a list: its score, a boost or a pin of the scenario, or new_item_share."""

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with a phase, the work done and the work in all (None when unknown), by whatever takes long."""


def unheard(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody asked for."""


class QueryEmbedder(Protocol):
    """What turns the text of a search into a vector: any `recsys_pg.embedding.TextEmbedder`."""

    @property
    def name(self) -> str:
        """The name of the model, as in ``recsys.models``."""
        ...

    @property
    def revision(self) -> str:
        """The revision of the model, as in ``recsys.models``."""
        ...

    def embed(self, texts: Sequence[str]) -> Any:
        """The vectors of texts: an array of shape (n_texts, 384)."""
        ...


@dataclass(frozen=True, kw_only=True)
class ItemFilter:
    """Conditions that an item must meet to be listed; None sets none, all that are given must hold.

    The same as ``recsys_api.item_filter(…)``, which says what each means.
    """

    categories: Sequence[str] | None = None
    in_stock: bool | None = None
    min_price: Decimal | float | None = None
    max_price: Decimal | float | None = None
    tags: Sequence[str] | None = None
    attributes: Mapping[str, Any] | None = None
    item_ids: Sequence[int] | None = None
    exclude_item_ids: Sequence[int] | None = None
    rule: str | None = None

    def __post_init__(self) -> None:
        """Refuse a text where a list belongs.

        Raises:
            InvalidArgumentError: categories or tags is a single text.
        """
        for name in ("categories", "tags"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InvalidArgumentError(
                    f"{name} is {value!r}, a text.", f"Pass a list: {name}=[{value!r}]."
                )


@dataclass(frozen=True)
class Boost:
    """Items to raise (factor above 1) or lower: scores of those that pass the filter are multiplied by it."""

    filter: ItemFilter
    factor: float


@dataclass(frozen=True)
class Pin:
    """An item that has a place of its own, counted from 1, in the lists of a scenario."""

    item_id: int
    place: int


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The controls of a list under a name; None leaves one to the call, and there to the default.

    The same as ``recsys_api.define_scenario(…)``, which says what each means.
    """

    filter: ItemFilter | None = None
    method: Method | None = None
    exclude_seen: bool | None = None
    diversity: float | None = None
    max_per_category: int | None = None
    popularity_damping: float | None = None
    rotation: float | None = None
    rotation_half_life: timedelta | None = None
    new_item_share: float | None = None
    boosts: Sequence[Boost] = ()
    pins: Sequence[Pin] = ()


@dataclass(frozen=True)
class FoundItem:
    """A row of ``search_items`` or ``popular_items``."""

    rank: int
    item_id: int
    external_id: str | None
    title: str
    category: str | None
    price: Decimal | None
    in_stock: bool
    score: float


@dataclass(frozen=True)
class Recommendation(FoundItem):
    """A row of ``recommend_for_user`` or ``recommend_for_items``; reason_item_id is the past item behind."""

    reason: str
    reason_item_id: int | None
    placement: Placement


@dataclass(frozen=True)
class SimilarItem(FoundItem):
    """A row of ``similar_items``; similarity is the cosine of the two embeddings, None without them."""

    reason: str
    similarity: float | None


@dataclass(frozen=True)
class TextMatch(FoundItem):
    """A row of ``search_text``.

    ``reason`` names what matched: code, title, words, meaning. ``words_rank`` and ``meaning_rank`` are the
    places in the lists that were put together, None where the item is not in one. ``searched_by_meaning`` is
    the same in all rows: whether the embedding of the text was known.
    """

    reason: str
    words_rank: int | None
    meaning_rank: int | None
    searched_by_meaning: bool


@dataclass(frozen=True)
class SimilarUser:
    """A row of ``similar_users``; similarity is the cosine of the taste vectors."""

    rank: int
    user_id: int
    external_id: str | None
    similarity: float


@dataclass(frozen=True)
class Contribution:
    """A row of ``explain_recommendation``: a past item, and what it adds to the score.

    Or a control that changes the score: item_id and occurred_at are None, title is its name (boost,
    popularity damping, rotation) and weight its factor.
    """

    item_id: int | None
    title: str
    weight: float
    occurred_at: datetime | None
    contribution: float
    graph: float
    content: float


@dataclass(frozen=True, kw_only=True)
class ItemRecord:
    """An item to write. Without an id the database gives one; external_id is the application's own key."""

    title: str
    id: int | None = None
    external_id: str | None = None
    description: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    price: Decimal | None = None
    in_stock: bool = True
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    embedding: Any = field(default=None, compare=False)
    """(384,) float32 by the database's embedding model; None: the worker makes it from the text."""


@dataclass(frozen=True, kw_only=True)
class UserRecord:
    """A user to write. Without an id the database gives one; external_id is the application's own key."""

    id: int | None = None
    external_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class InteractionRecord:
    """Something that a user did with an item, each named by its id or by its external_id."""

    kind: str
    occurred_at: datetime | None = None
    user_id: int | None = None
    user_external_id: str | None = None
    item_id: int | None = None
    item_external_id: str | None = None
    value: float | None = None
    event_id: str | None = None
