"""How good the recommendations are that the SQL functions serve."""

from recsys_pg.evaluation.metrics import ndcg, recall
from recsys_pg.evaluation.protocol import METHODS, MethodResult, evaluate_methods
from recsys_pg.evaluation.split import last_of_each_user

__all__ = ["METHODS", "MethodResult", "evaluate_methods", "last_of_each_user", "ndcg", "recall"]
