"""Interactions → item graph: what having liked one item says about all others."""

try:
    import scipy.sparse  # noqa: F401
except ModuleNotFoundError as error:
    from recsys_pg.errors import MissingDependencyError

    raise MissingDependencyError(
        "scipy is not installed, which training needs.", 'Run: pip install "recsys-pg[train]".'
    ) from error

from recsys_pg.collaborative.learner import Algorithm
from recsys_pg.collaborative.memory import default_memory_gb
from recsys_pg.collaborative.plan import TrainingPlan, plan_training
from recsys_pg.collaborative.trainer import TrainReport, train

__all__ = [
    "Algorithm",
    "TrainReport",
    "TrainingPlan",
    "default_memory_gb",
    "plan_training",
    "train",
]
