"""Users whom a model has not met, after their first likes: what serving new users is chosen by."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.histories import Histories, histories_at
from recsys_pg.collaborative.log import InteractionLog

STAGES = (1, 2, 5, 10, 20, 50)
"""Likes after which a newcomer is asked."""

MOST_TARGETS = 20
"""The next likes of a newcomer, which are to be found."""

_SHARE = 0.1
_FEWEST, _MOST = 20, 500
_USERS_A_NEWCOMER = 4
_SCORES = 200_000_000


@dataclass(frozen=True)
class Asked:
    """Users at a moment, numbered from 0: what is known of them, and what they liked next.

    seen and targets are (n, n_items); no target is seen.
    """

    histories: Histories
    seen: csr_array[np.float32]
    targets: csr_array[np.float32]

    def of(self, chosen: npt.NDArray[np.intp]) -> "Asked":
        """Some of the users, ascending."""
        return Asked(self.histories.of(chosen), self.seen[chosen], self.targets[chosen])


def newcomers_at_most(n_items: int) -> int:
    """How many newcomers are asked at each stage in a catalogue of so many items."""
    return int(np.clip(_SCORES // n_items, 100, _MOST))


def newcomers_of(users: int, n_items: int) -> int:
    """How many of the users with two likes are held out whole: a tenth, 20 to 500, or none where few remain.

    Few remain where it would be more than a quarter of them; in a large catalogue fewer are asked.
    """
    wanted = int(np.clip(_SHARE * users, _FEWEST, newcomers_at_most(n_items)))
    return wanted if users >= _USERS_A_NEWCOMER * wanted else 0


def draw_newcomers(
    likes: npt.NDArray[np.int64], n_items: int, random: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Positions of users who are held out whole, ascending: as many as `newcomers_of` says.

    Args:
        likes: (n_users,) of each user.
        n_items: of the catalogue.
        random: draws.
    """
    eligible = np.flatnonzero(likes > 1)
    return np.sort(random.choice(eligible, newcomers_of(len(eligible), n_items), replace=False))


def stages(log: InteractionLog, random: np.random.Generator) -> Iterator[Asked]:
    """The users of a log after their first likes, of each number of `STAGES` that some have exceeded.

    Args:
        log: of the newcomers; where its times tell no order, they liked in one that is drawn.
        random: draws.
    """
    if not log.is_ordered:
        log = log.in_drawn_order(random)
    liked = np.flatnonzero(log.weights > 0)
    place = np.arange(len(liked)) - np.searchsorted(log.users[liked], log.users[liked])
    for count in STAGES:
        moments = liked[place == count - 1]
        last = np.flatnonzero((place >= count) & (place < count + MOST_TARGETS))
        users = np.unique(log.users[liked[last]])
        if not len(users):
            return
        number = np.full(len(log.user_ids), -1, np.int64)
        number[users] = np.arange(len(users))
        moments = moments[number[log.users[moments]] >= 0]
        end = np.full(len(log.user_ids), -1, np.int64)
        end[log.users[moments]] = moments
        known = np.flatnonzero(np.arange(len(log)) <= end[log.users])
        shape = (len(users), len(log.item_ids))
        seen = marks(number[log.users[known]], log.items[known], shape)
        wanted = marks(number[log.users[liked[last]]], log.items[liked[last]], shape)
        asked = Asked(histories_at(log, moments), seen, unseen(wanted, seen))
        with_targets = np.flatnonzero(np.diff(asked.targets.indptr))
        if len(with_targets):
            yield asked.of(with_targets)


def unseen(wanted: csr_array[np.float32], seen: csr_array[np.float32]) -> csr_array[np.float32]:
    """What is wanted and was not seen."""
    rest = csr_array(wanted - wanted.multiply(seen))
    rest.eliminate_zeros()
    return rest


def marks(
    rows: npt.NDArray[np.signedinteger], columns: npt.NDArray[np.signedinteger], shape: tuple[int, int]
) -> csr_array[np.float32]:
    """1 at each of the places, however often it is named."""
    marked = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    marked.data[:] = 1
    return marked
