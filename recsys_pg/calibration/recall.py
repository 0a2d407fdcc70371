"""The check of recall, which runs in the database."""

from dataclasses import dataclass, fields

import sqlalchemy as sa

from recsys_pg.db import translated_errors

GOOD_RECALL = 0.99
"""What the mean recall of searches is to be, whatever their filter."""


@dataclass(frozen=True)
class BandRecall:
    """A row of recsys_api.check_recall: the searches of one strategy in one band of selectivity."""

    band: str
    strategy: str
    searches: int
    recall: float
    worst_recall: float
    rows_missing: int
    milliseconds: float


def check_recall(engine: sa.Engine, *, sample: int = 200, n: int = 10) -> list[BandRecall]:
    """Run searches against exact scans; keeps the result in the database unless that is read-only.

    Args:
        sample: searches to run, 1 to 10,000.
        n: length of their lists, 1 to 1000.

    Returns:
        The recall by band and strategy, widest filters first.

    Raises:
        InvalidArgumentError: sample or n is out of range, or no item has an embedding.
        PermissionDeniedError: the role may not check.
    """
    columns = ", ".join(field.name for field in fields(BandRecall))
    statement = sa.text(f"select {columns} from recsys_api.check_recall(:sample, :n)")
    with translated_errors(), engine.begin() as connection:
        return [BandRecall(*row) for row in connection.execute(statement, {"sample": sample, "n": n})]
