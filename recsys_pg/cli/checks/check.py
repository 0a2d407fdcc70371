"""What a check is and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import sqlalchemy as sa

Level: TypeAlias = Literal["ok", "info", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What a check found. ``fail``: something does not work; ``warn``: it works badly, or soon will not."""

    level: Level
    message: str
    remedy: str = ""


Check: TypeAlias = Callable[[sa.Connection], Iterator[Finding]]
"""Looks at one thing through a connection in autocommit mode; changes nothing."""
