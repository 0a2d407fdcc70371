"""Index advice: which partial vector indexes would serve the filters that really ran, and building them."""

from recsys_pg.indexes.advice import Advice, Sample, advise, read_sample
from recsys_pg.indexes.build import build, build_for, drop
from recsys_pg.indexes.condition import IndexCondition
from recsys_pg.indexes.listing import SearchIndex, foreign_invalid_indexes, listing

__all__ = [
    "Advice",
    "IndexCondition",
    "Sample",
    "SearchIndex",
    "advise",
    "build",
    "build_for",
    "drop",
    "foreign_invalid_indexes",
    "listing",
    "read_sample",
]
