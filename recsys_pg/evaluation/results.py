"""What an evaluation found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from recsys_pg.collaborative import TrainReport
from recsys_pg.collaborative.bootstrap import Estimate
from recsys_pg.evaluation.split import Split
from recsys_pg.types import Method


@dataclass(frozen=True)
class Options:
    """What was asked for; see `recsys_pg.evaluation.evaluate`."""

    split: Split
    test_share: float
    users: int
    ks: Sequence[int]
    methods: Sequence[Method]
    repeats: bool
    memory_gb: float
    seed: int

    def command(self) -> str:
        """The command line that asks for the same, without the database."""
        words = ["recsys-pg evaluate", f"--split {self.split}", f"--test-share {self.test_share:g}"]
        words += [f"--users {self.users}", *(f"-k {k}" for k in self.ks)]
        words += [f"--method {method}" for method in self.methods]
        words += ["--repeats"] * self.repeats
        return " ".join([*words, f"--memory-gb {self.memory_gb:g}", f"--seed {self.seed}"])


@dataclass(frozen=True)
class Versions:
    """Of the software, where the lists were made."""

    recsys_pg: str
    postgres: str
    pgvector: str


@dataclass(frozen=True)
class Sizes:
    """What was trained on, and what was to be found.

    Attributes:
        items, embedded_items: in the catalogue.
        users, active_users: in the database, and those with an interaction to train on.
        interactions: to train on, of any kind.
        test_users: users for whom something is to be found; asked_users: those drawn of them.
        targets: pairs of an asked user and an item to be found.
    """

    items: int
    embedded_items: int
    users: int
    active_users: int
    interactions: int
    test_users: int
    asked_users: int
    targets: int


@dataclass(frozen=True)
class Accuracy:
    """How well lists of k items find what is to be found: means over the users; see `metrics`."""

    k: int
    ndcg: float
    recall: float
    map: float
    mrr: float
    hit_rate: float


@dataclass(frozen=True)
class Exposure:
    """What the lists of all users show, whether or not it is what they wanted; see `exposure`.

    diversity is None where no list has two items with embeddings.
    """

    k: int
    coverage: float
    gini: float
    novelty: float
    diversity: float | None
    cold_share: float


@dataclass(frozen=True)
class MethodResult:
    """What a method is worth.

    Attributes:
        ndcg: at the first k, with its interval.
        difference: NDCG at the first k of the reference, which is hybrid where that was asked, less this
            method's, for the same users; None for the reference itself.
        accuracy: one for each k.
        recall_at: recall at 1, 2, … up to the largest k.
        exposure: of the first k.
        milliseconds: a call of recommend_for_user took on average.
    """

    method: Method
    ndcg: Estimate
    difference: Estimate | None
    accuracy: Sequence[Accuracy]
    recall_at: Sequence[float]
    exposure: Exposure
    milliseconds: float


@dataclass(frozen=True)
class SegmentResult:
    """What each method is worth for a part of the users, or of the items to be found."""

    name: str
    meaning: str
    users: int
    targets: int
    accuracy: Mapping[Method, Sequence[Accuracy]]


@dataclass(frozen=True)
class Evaluation:
    """All that `evaluate` found.

    Attributes:
        started_at: when it began; seconds: how long it took.
        database: the name of the one that was evaluated.
        split_at: from when on interactions were held out; None for the split by user.
        training: what was trained on the training part.
        notes: what a reader should know before the numbers, one sentence each.
    """

    started_at: datetime
    seconds: float
    database: str
    options: Options
    versions: Versions
    sizes: Sizes
    split_at: datetime | None
    training: TrainReport
    methods: Sequence[MethodResult]
    segments: Sequence[SegmentResult]
    notes: Sequence[str]

    @property
    def reference(self) -> Method:
        """The method that the others are compared with."""
        return next(row.method for row in self.methods if row.difference is None)
