"""The options that say which items may be listed: the same for every command that lists items."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys_pg.cli.option_groups import with_options
from recsys_pg.cli.output import print_warning
from recsys_pg.types import ItemFilter

if TYPE_CHECKING:
    from recsys_pg.repositories import ItemRepository


def _price(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is not a number.") from error


def _option(*names: str, **details: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Which items", **details)


@dataclass(frozen=True)
class FilterOptions:
    """What the filter options of a command say; each field is an option."""

    categories: Annotated[
        list[str] | None,
        _option("--category", metavar="NAME", help="In this category; repeated: in one of them."),
    ] = None
    tags: Annotated[
        list[str] | None, _option("--tag", metavar="TAG", help="With this tag; repeated: with all of them.")
    ] = None
    in_stock: Annotated[
        bool | None, _option("--in-stock/--out-of-stock", help="Only what is in stock, or only what is not.")
    ] = None
    min_price: Annotated[
        Decimal | None, _option("--min-price", parser=_price, metavar="PRICE", help="At this price or above.")
    ] = None
    max_price: Annotated[
        Decimal | None, _option("--max-price", parser=_price, metavar="PRICE", help="At this price or below.")
    ] = None
    excluded_items: Annotated[
        list[str] | None, _option("--exclude-item", metavar="ITEM", help="Not this item; repeat it for more.")
    ] = None
    rule: Annotated[
        str | None,
        _option("--rule", metavar="NAME", help="Passing this rule of the application: see recsys-pg rules."),
    ] = None
    external: Annotated[
        bool,
        typer.Option(
            "--external", help="Items and users are given by external_id, the application's own key."
        ),
    ] = False

    def item_filter(self, items: "ItemRepository") -> ItemFilter:
        """The filter that the options stand for; a category that no item has is told on stderr.

        Raises:
            UnknownItemError: an excluded item does not exist.
            InvalidArgumentError: several items have the title of one.
        """
        from recsys_pg.cli.lookup import find_item

        for category in items.unused_categories(self.categories or ()):
            print_warning(f"No item has the category {category!r}.")
        excluded = [find_item(items, text, external=self.external).id for text in self.excluded_items or ()]
        return ItemFilter(
            categories=tuple(self.categories) if self.categories else None,
            tags=tuple(self.tags) if self.tags else None,
            in_stock=self.in_stock,
            min_price=self.min_price,
            max_price=self.max_price,
            exclude_item_ids=tuple(excluded) or None,
            rule=self.rule,
        )


def with_filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the filter options; it gets what they say as its argument ``chosen``."""
    return with_options(command, "chosen", FilterOptions)
