"""A shop of any size for the benchmark of recommendations: real texts, and what people might do there.

Items and topics are those of search_data.py: real packages, beyond `real` of them real vectors with noise,
and topics by which the filters choose 10 %, 1 % and .1 %. What people did is drawn:

- An item is the more popular the lower its rank in a random order, by a power law: weight 1 / rank^0.8.
- A user does something 1 to 2,000 times, lognormal with the wanted mean, and has four of the thousand
  smallest topics as interests, which are drawn by their popularity.
- One step in four is anything, by popularity; the others are within an interest, by popularity there, and
  stay in the interest of the step before with a probability of .7. So there is a taste and a next step.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from search_data import Catalogue, Integers, load

POPULARITY_EXPONENT = 0.8
INTERESTS = 4
ANYTHING = 0.25
STAY = 0.7
MOST_STEPS = 2000
SECONDS = 2 * 365 * 86400
"""Over which everybody's interactions are spread."""
IN_STOCK = 0.8


@dataclass(frozen=True)
class Shop:
    """Items 1 … n; interactions in the order of time, users numbered from 1: three arrays of the same length.

    seconds counts from the first possible interaction; in_stock is (n_items,).
    """

    catalogue: Catalogue
    in_stock: npt.NDArray[np.bool_]
    users: Integers
    items: Integers
    seconds: Integers


def make_shop(
    n_items: int, n_interactions: int, *, mean_steps: int, real: int, cache: Path, seed: int
) -> Shop:
    """The same arguments give the same shop; real is how many items have texts of their own at most."""
    random = np.random.default_rng(seed)
    catalogue = load(n_items, 100, cache, real_rows=real)
    topics = catalogue.groups[0.1]
    weights = (1.0 + random.permutation(n_items)) ** -POPULARITY_EXPONENT

    # items in the order of their topics, so that drawing within a topic is a search in a part of the sums
    order = np.argsort(topics, kind="stable")
    sums = np.cumsum(weights[order])
    ends = np.searchsorted(topics[order], np.arange(topics.max() + 1), side="right")
    high = sums[ends - 1]
    low = np.concatenate([[0.0], high[:-1]])

    steps = np.exp(random.normal(0, 1, int(1.2 * n_interactions / mean_steps) + 100))
    steps = np.clip(np.rint(steps * mean_steps / np.exp(0.5)), 1, MOST_STEPS).astype(np.int64)
    n_users = int(np.searchsorted(np.cumsum(steps), n_interactions)) + 1
    users = np.repeat(np.arange(n_users), steps[:n_users])[:n_interactions]
    first = np.concatenate([[True], users[1:] != users[:-1]])

    interests = np.searchsorted(high, random.random((n_users, INTERESTS)) * high[-1])
    changes = first | (random.random(len(users)) > STAY)
    drawn = np.where(changes, random.integers(0, INTERESTS, len(users)), 0)
    interest = drawn[np.maximum.accumulate(np.where(changes, np.arange(len(users)), 0))]
    topic = interests[users, interest]
    anything = random.random(len(users)) < ANYTHING
    from_sum = np.where(anything, 0.0, low[topic])
    to_sum = np.where(anything, high[-1], high[topic])
    place = np.searchsorted(sums, from_sum + random.random(len(users)) * (to_sum - from_sum), side="right")
    items = order[np.minimum(place, n_items - 1)]

    # a user's steps follow each other by the hour and the day, from a random start
    gaps = random.exponential(43_200, len(users))
    elapsed = np.cumsum(gaps)
    starts = random.random(n_users) * SECONDS * 0.9
    seconds = (starts[users] + elapsed - elapsed[np.flatnonzero(first)][users]).astype(np.int64)
    in_time = np.argsort(seconds, kind="stable")
    return Shop(
        catalogue,
        random.random(n_items) < IN_STOCK,
        users[in_time] + 1,
        items[in_time] + 1,
        seconds[in_time],
    )
