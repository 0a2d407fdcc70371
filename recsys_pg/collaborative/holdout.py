"""Which interactions the choice of a model is checked on, so that what is learned never sees them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.histories import Histories, histories
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.newcomers import draw_newcomers, marks, unseen

USERS = 3000
"""Users that are asked at most."""

SCORES = 1_000_000_000
"""Users times items that are scored at most, but for the first 500 users."""

SHARE = 0.1
LONGEST = 10
"""Of each user's likes, held out and at most; twice that where they are drawn and none is the next."""


@dataclass(frozen=True)
class Holdout:
    """What remains to learn from, and what some users went on to like.

    learned is the log without what was held out. histories are those of the users asked, numbered from 0,
    seen is (n, n_items) what these say something of, and targets (n, n_items) what they liked next: none of
    it seen. again are the targets and what they consumed once more, by the same kind; recent are those of
    the targets that were liked since a moment that `hold_out` was given. moments is (n,) int64, the time of
    the first of each user's targets. newcomers is the log of other users, none of whom learned has anything
    of.
    """

    learned: InteractionLog
    histories: Histories
    seen: csr_array[np.float32]
    targets: csr_array[np.float32]
    recent: csr_array[np.float32]
    again: csr_array[np.float32]
    moments: npt.NDArray[np.int64]
    newcomers: InteractionLog


def hold_out(
    log: InteractionLog,
    *,
    targets: int | None = None,
    users: int | None = None,
    since: int | None = None,
    seed: int = 0,
) -> Holdout:
    """Hold out the latest likes of some users, with all that they did from then on, and all of newcomers.

    What was done at one time, such as a basket, is held out as a whole; who did everything at one time is not
    asked. Where times do not tell the order, likes are drawn instead. What led to a like is held out with it:
    what was only looked at before it was bought is new, and no repeat. An opinion on what one has, such as a
    rating after a purchase, is no target.

    Args:
        log: at least one user with two liked items.
        targets: likes that are held out of each user; None is a tenth of them, 1 to 10, and a fifth, 1 to 20,
            where they are drawn. Users with no more than that are not asked.
        users: that are asked at most; more are drawn. None is `USERS`, in a large catalogue fewer.
        since: from when on a like is recent, in µs since 2000-01-01 UTC; None is never.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    liked = log.weights > 0
    counts = np.bincount(log.users[liked], minlength=len(log.user_ids))
    factor = 1 if log.is_ordered else 2
    held = np.clip((counts * SHARE * factor).astype(np.int64), 1, LONGEST * factor)
    if targets is not None:
        held = np.full(len(counts), targets)
    newcomers = draw_newcomers(counts, len(log.item_ids), random)
    is_new = np.zeros(len(counts), dtype=bool)
    is_new[newcomers] = True
    asked = np.flatnonzero((counts > held) & ~is_new)
    if users is None:
        users = asked_at_most(len(log.item_ids))
    if len(asked) > users:
        asked = np.sort(random.choice(asked, users, replace=False))
    is_asked = np.zeros(len(counts), dtype=bool)
    is_asked[asked] = True

    position = np.flatnonzero(liked & is_asked[log.users])
    if not log.is_ordered:
        position = position[np.lexsort((random.random(len(position)), log.users[position]))]
    owner = log.users[position]
    place = np.arange(len(position)) - np.searchsorted(owner, owner)
    is_target = np.zeros(len(log), dtype=bool)
    is_target[position[place >= (counts - held)[owner]]] = True
    removed = is_target.copy()
    if log.is_ordered:
        # what was done with the first target or after it is unknown too; what of it was liked is a target
        since_first = log.times >= _first_times(log, is_target)[log.users]
        began_before = np.zeros(len(counts), dtype=bool)
        began_before[log.users[liked & ~since_first]] = True
        removed = since_first & began_before[log.users]
        is_target = removed & liked
        asked = asked[began_before[asked]]
    _hold_out_pairs(log, is_asked, is_target, removed)
    has_known = np.zeros(len(counts), dtype=bool)
    has_known[log.users[liked & ~removed]] = True
    asked = asked[has_known[asked]]
    removed &= has_known[log.users]
    is_target &= has_known[log.users]
    learned = log.part(~removed & ~is_new[log.users])

    number = np.full(len(counts), -1, dtype=np.int32)
    number[asked] = np.arange(len(asked))
    known = learned.of_users(asked)
    shape = (len(asked), len(log.item_ids))
    says = (known.weights != 0) | (known.consumptions > 0)
    seen = marks(known.users[says], known.items[says], shape)
    is_recent = is_target & (log.times >= since) if since is not None else np.zeros(len(log), dtype=bool)
    again, recent = (
        marks(number[log.users[chosen]], log.items[chosen], shape) for chosen in (is_target, is_recent)
    )
    return Holdout(
        learned,
        histories(known),
        seen,
        unseen(again, seen),
        unseen(recent, seen),
        again,
        _first_times(log, is_target)[asked],
        log.of_users(newcomers),
    )


def _hold_out_pairs(
    log: InteractionLog,
    is_asked: npt.NDArray[np.bool_],
    is_target: npt.NDArray[np.bool_],
    removed: npt.NDArray[np.bool_],
) -> None:
    """Remove what led to a target, and let be no target what was consumed before by another kind."""
    of_asked = np.flatnonzero(is_asked[log.users])
    pairs = log.users[of_asked].astype(np.int64) * len(log.item_ids) + log.items[of_asked]
    kinds = log.consumptions[of_asked]
    target, known = is_target[of_asked], ~removed[of_asked]
    had = known & (kinds > 0)
    is_had = np.isin(pairs, pairs[had])
    removed[of_asked] |= known & ~is_had & np.isin(pairs, pairs[target])
    acts = pairs * (int(kinds.max(initial=0)) + 1) + kinds
    is_target[of_asked] &= ~is_had | np.isin(acts, acts[had])


def _first_times(log: InteractionLog, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(n_users,) the time of each user's first chosen interaction; without one the latest there can be."""
    first = np.full(len(log.user_ids), np.iinfo(np.int64).max)
    np.minimum.at(first, log.users[chosen], log.times[chosen])
    return first


def asked_at_most(n_items: int) -> int:
    """How many users are asked in a catalogue of so many items."""
    return min(USERS, max(500, SCORES // n_items))
