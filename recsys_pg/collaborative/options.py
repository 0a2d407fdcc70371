"""The ranges of the arguments of training."""

import math
from typing import get_args

from recsys_pg.collaborative.learner import Algorithm
from recsys_pg.errors import InvalidArgumentError


def check_arguments(
    algorithm: str, neighbors: int, reg: float | None, memory_gb: float, holdout: int | None
) -> None:
    """Refuse arguments of `train` that are out of their range, by InvalidArgumentError."""
    if algorithm not in get_args(Algorithm):
        raise InvalidArgumentError(f"algorithm is {algorithm!r}.", "Pass auto, ease or cosine.")
    if not 1 <= neighbors <= 1000:
        raise InvalidArgumentError(f"neighbors is {neighbors}, not 1 to 1000.", "Leave it out for 100.")
    if reg is not None and not 0 < reg < math.inf:
        raise InvalidArgumentError(f"reg is {reg}, not a positive number.", "Leave it out for the default.")
    if not 0 < memory_gb < math.inf:
        raise InvalidArgumentError(f"memory_gb is {memory_gb}, not a positive number.", "Pass GB, such as 4.")
    if holdout is not None and not 1 <= holdout <= 1000:
        raise InvalidArgumentError(f"holdout is {holdout}, not 1 to 1000.", "Leave it out for a tenth.")
