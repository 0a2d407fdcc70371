"""What checkpoints hold, as arrays: no pickle, so that reading a file runs nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import Comparison
from recsys_pg.collaborative.factors import Factors, TimeScale
from recsys_pg.collaborative.histories import MeanQuery
from recsys_pg.collaborative.learner import ItemGraph
from recsys_pg.collaborative.mixture import Mixture, Term
from recsys_pg.collaborative.operators.operator import Operator, Sparse
from recsys_pg.collaborative.prior import Prior
from recsys_pg.collaborative.trend import Trend

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

T = TypeVar("T")


@dataclass(frozen=True)
class Packing(Generic[T]):
    """How a result becomes named arrays, and these the result again."""

    pack: Callable[[T], dict[str, npt.NDArray[Any]]]
    unpack: Callable[[Arrays], T]


@dataclass(frozen=True)
class Choice:
    """The sum, trend and prior that were chosen, and how they compare with the active model, if asked."""

    mixture: Mixture
    trend: Trend | None
    prior: Prior | None
    comparison: Comparison | None


def _packed_graph(name: str, graph: Sparse) -> dict[str, npt.NDArray[Any]]:
    return {
        f"{name}.data": graph.data,
        f"{name}.indices": graph.indices,
        f"{name}.indptr": graph.indptr,
        f"{name}.shape": np.array(graph.shape),
    }


def _graph(name: str, arrays: Arrays) -> Sparse:
    parts = (arrays[f"{name}.data"], arrays[f"{name}.indices"], arrays[f"{name}.indptr"])
    rows, columns = arrays[f"{name}.shape"].tolist()
    return csr_array(parts, shape=(rows, columns))


def _packed_operator(operator: Operator) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    if operator.left is not None and operator.left is not operator.right:
        arrays["left"] = operator.left
    for name in ("right", "ratio"):
        if (part := getattr(operator, name)) is not None:
            arrays[name] = part
    if isinstance(operator.graph, csr_array):
        arrays |= _packed_graph("graph", operator.graph)
    elif operator.graph is not None:
        arrays["graph"] = operator.graph
    return arrays


def _operator(arrays: Arrays) -> Operator:
    right = arrays.get("right")
    graph = _graph("graph", arrays) if "graph.data" in arrays else arrays.get("graph")
    return Operator(arrays.get("left", right), right, graph, arrays.get("ratio"))


def _text(value: Any) -> npt.NDArray[Any]:
    return np.array(json.dumps(value))


def _packed_choice(choice: Choice) -> dict[str, npt.NDArray[Any]]:
    return {"choice": _text(asdict(choice))}


def _choice(arrays: Arrays) -> Choice:
    found = json.loads(str(arrays["choice"]))
    mixture = found["mixture"]
    terms = tuple(Term(**term) for term in mixture["terms"])
    comparison = Comparison(**found["comparison"]) if found["comparison"] else None
    prior = Prior(**found["prior"]) if found["prior"] else None
    trend = Trend(**found["trend"]) if found["trend"] else None
    return Choice(Mixture(terms, mixture["ndcg"], mixture["alone"]), trend, prior, comparison)


def _packed_factors(factors: Factors) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {
        "targets": factors.targets,
        "decays": np.array([scale.decay for scale in factors.scales]),
    }
    if factors.mean:
        arrays |= {"mean_query": factors.mean.query, "fade": np.array(factors.mean.fade)}
    for number, scale in enumerate(factors.scales):
        arrays[f"history {number}"] = scale.history
        arrays |= _packed_graph(f"residual {number}", scale.residual)
    return arrays


def _factors(arrays: Arrays) -> Factors:
    scales = tuple(
        TimeScale(decay, arrays[f"history {number}"], _graph(f"residual {number}", arrays))
        for number, decay in enumerate(arrays["decays"].tolist())
    )
    mean = MeanQuery(arrays["mean_query"], float(arrays["fade"])) if "mean_query" in arrays else None
    return Factors(arrays["targets"], scales, mean)


def _packed_item_graph(graph: ItemGraph) -> dict[str, npt.NDArray[Any]]:
    how = {"algorithm": graph.algorithm, "reg": graph.reg, "reason": graph.reason, "ndcg": dict(graph.ndcg)}
    return {"how": _text(how), **_packed_graph("edges", graph.edges)}


def _item_graph(arrays: Arrays) -> ItemGraph:
    return ItemGraph(_graph("edges", arrays), **json.loads(str(arrays["how"])))


OPERATOR = Packing(_packed_operator, _operator)
CHOICE = Packing(_packed_choice, _choice)
FACTORS = Packing(_packed_factors, _factors)
ITEM_GRAPH = Packing(_packed_item_graph, _item_graph)
