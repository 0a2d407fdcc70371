"""The options that steer a list: the scenario, and what is said instead of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys_pg.cli.option_groups import with_options

if TYPE_CHECKING:
    from recsys_pg.repositories import ItemRepository


def _option(*names: str, **details: Any) -> Any:
    return typer.Option(*names, rich_help_panel="What steers the list", **details)


@dataclass(frozen=True)
class ControlOptions:
    """What the options say; each field is an option, None leaves it to the scenario."""

    scenario: Annotated[
        str | None,
        _option("--scenario", metavar="NAME", help="A stored set of these: recsys-pg scenarios."),
    ] = None
    diversity: Annotated[
        float | None,
        _option(
            "--diversity",
            metavar="X",
            min=0,
            max=1,
            help="0 ranks by score alone; towards 1 the items differ more.",
        ),
    ] = None
    max_per_category: Annotated[
        int | None,
        _option("--max-per-category", metavar="N", min=1, max=1000, help="Rows of one category at most."),
    ] = None
    popularity_damping: Annotated[
        float | None,
        _option(
            "--popularity-damping",
            metavar="X",
            min=0,
            max=1,
            help="0 ranks by score alone; towards 1 the less known rise.",
        ),
    ] = None
    rotation: Annotated[
        float | None,
        _option("--rotation", metavar="X", min=0, max=1, help="How far sinks what was shown just now."),
    ] = None
    rotation_half_life: Annotated[
        float | None,
        _option("--rotation-half-life", metavar="HOURS", help="After which it sinks half as far; 24."),
    ] = None
    new_item_share: Annotated[
        float | None,
        _option(
            "--new-item-share", metavar="X", min=0, max=1, help="Share of the places for items few know yet."
        ),
    ] = None
    shown: Annotated[
        list[str] | None,
        _option("--shown", metavar="ITEM", help="An item of the pages before; repeat it for more."),
    ] = None

    def half_life(self) -> timedelta | None:
        """The half-life of rotation.

        Raises:
            BadParameter: it is no length of time.
        """
        if self.rotation_half_life is None:
            return None
        try:
            return timedelta(hours=self.rotation_half_life)
        except (ValueError, OverflowError) as error:
            raise typer.BadParameter(
                f"{self.rotation_half_life} hours are no length of time.", param_hint="'--rotation-half-life'"
            ) from error

    def shown_item_ids(self, items: "ItemRepository", *, external: bool) -> list[int]:
        """The ids of what the pages before showed.

        Raises:
            UnknownItemError: an item does not exist.
            InvalidArgumentError: several items have the title of one.
        """
        from recsys_pg.cli.lookup import find_item

        return [find_item(items, text, external=external).id for text in self.shown or ()]


def with_control_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it gets what they say as its argument ``controls``."""
    return with_options(command, "controls", ControlOptions)
