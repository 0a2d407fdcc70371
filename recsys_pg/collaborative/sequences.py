"""What each user liked, one after the other, as flat arrays."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Sequences laid end to end: items is (n,) int32, users (n,) int32 whose they are, ascending."""

    items: npt.NDArray[np.int32]
    users: npt.NDArray[np.int32]

    @cached_property
    def steps_left(self) -> Integers:
        """(n,) entries of the same sequence from each one on, itself included, less the last.

        The last entry of a sequence has 0: nothing follows it.
        """
        ends = np.searchsorted(self.users, self.users, side="right")
        return ends - np.arange(len(self.users)) - 1

    def pairs(self, lag: int) -> tuple[Integers, Integers]:
        """Positions of all pairs of entries of one sequence that are lag steps apart, earlier ones first."""
        first = np.arange(len(self.users) - lag) if lag < len(self.users) else np.arange(0)
        same = self.users[first] == self.users[first + lag]
        return first[same], first[same] + lag
