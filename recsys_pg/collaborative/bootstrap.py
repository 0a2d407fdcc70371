"""How far a mean over users would differ with other users of the same kind."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

_RESAMPLES = 2000
_AT_ONCE = 100
"""Resamples held in memory together."""


@dataclass(frozen=True)
class Estimate:
    """A mean over users and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval is above or below 0, else 0.

        >>> Estimate(0.02, 0.01, 0.03).sign, Estimate(0.02, -0.01, 0.05).sign
        (1, 0)
        """
        return int(self.low > 0) - int(self.high < 0)


def estimate(values: npt.NDArray[np.float64], *, seed: int = 0) -> Estimate:
    """The mean of (n_users,) values, with the percentile bootstrap over users, 2,000 resamples.

    Of differences between two methods for the same users this is the paired bootstrap (Efron and Tibshirani,
    An Introduction to the Bootstrap, chapter 13). `scipy.stats.bootstrap` draws.

    >>> estimate(np.array([0.5, 0.5, 0.5]))
    Estimate(mean=0.5, low=0.5, high=0.5)
    """
    mean = float(values.mean())
    if np.ptp(values) == 0:
        return Estimate(mean, mean, mean)
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        batch=_AT_ONCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))
