"""How good the recommendations are that the SQL functions serve."""

from recsys_pg.collaborative.bootstrap import Estimate
from recsys_pg.evaluation.asking import METHODS
from recsys_pg.evaluation.evaluate import evaluate
from recsys_pg.evaluation.metrics import average_precision, hit, ndcg, recall, reciprocal_rank
from recsys_pg.evaluation.report.page import html_report
from recsys_pg.evaluation.results import Accuracy, Evaluation, Exposure, MethodResult, SegmentResult
from recsys_pg.evaluation.scratch import scratch_database
from recsys_pg.evaluation.split import Split

__all__ = [
    "METHODS",
    "Accuracy",
    "Estimate",
    "Evaluation",
    "Exposure",
    "MethodResult",
    "SegmentResult",
    "Split",
    "average_precision",
    "evaluate",
    "hit",
    "html_report",
    "ndcg",
    "recall",
    "reciprocal_rank",
    "scratch_database",
]
