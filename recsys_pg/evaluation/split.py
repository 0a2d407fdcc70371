"""Which interactions to learn from and which to test on, so that the future never teaches the past."""

import numpy as np
import numpy.typing as npt

from recsys_pg.errors import InvalidArgumentError


def last_of_each_user(
    user_ids: npt.ArrayLike, occurred_at: npt.ArrayLike, share: float = 0.2
) -> npt.NDArray[np.bool_]:
    """Marks the latest interactions of each user: the test part, the rest being for training.

    A user with m interactions has ⌊share · m⌋ of them marked, the last by time. Ties keep the order in which
    the interactions are given, which should be that of their ids. With the default, users with fewer than 5
    interactions are for training only.

    >>> last_of_each_user([1, 1, 2, 1, 1, 1], [50, 20, 99, 30, 50, 10]).tolist()
    [False, False, False, False, True, False]

    Args:
        user_ids: (n,) integers.
        occurred_at: (n,) numbers or numpy datetimes.
        share: of each user's interactions, from 0 to below 1.

    Returns:
        (n,) bool, True for the test part.

    Raises:
        InvalidArgumentError: the two differ in length, or share is out of its range.
    """
    users, times = np.asarray(user_ids), np.asarray(occurred_at)
    if users.shape != times.shape or users.ndim != 1:
        raise InvalidArgumentError(
            f"user_ids has the shape {users.shape}, occurred_at {times.shape}.", "Pass one time a user id."
        )
    if not 0 <= share < 1:
        raise InvalidArgumentError(f"share is {share}, not from 0 to below 1.", "0.2 is a good share.")
    _, user, length = np.unique(users, return_inverse=True, return_counts=True)
    oldest_first = np.lexsort((times, user))  # stable, so that ties keep their order
    start = np.cumsum(length) - length
    position = np.empty(len(users), dtype=np.int64)
    position[oldest_first] = np.arange(len(users)) - start[user[oldest_first]]
    # the small number keeps 0.29 of 100 at 29, which floating point makes 28.999…
    tested = np.floor(share * length + 1e-9).astype(np.int64)
    marked: npt.NDArray[np.bool_] = position >= (length - tested)[user]
    return marked
