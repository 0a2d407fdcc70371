"""From what an item is to the factors that it would have if people knew it: what new items compete by."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_array, hstack

from recsys_pg.collaborative.operators.operator import Floats, Sparse

MOST_FIELDS = 4000
"""Values of fields that are learned at most, the most frequent ones."""

_REGS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_FIELD_SHARES = (0.5, 1.0, 2.0)
_FOLDS = 5


@dataclass(frozen=True)
class ContentMap:
    """factors = (embedding − mean) · text + Σ fields[value] over the item's values.

    mean is (384,), text (384, dimensions); fields has a vector (dimensions,) for each value that was learned.
    error is the mean squared error of the scores of items that the map had not seen, as a share of what
    zeros would have; 1 or more is a map that knows nothing.
    """

    mean: Floats
    text: Floats
    fields: Mapping[str, Floats]
    error: float

    def factors(self, embeddings: Floats, values: Sequence[Collection[str]]) -> Floats:
        """(n, dimensions) what the content of n items says; zeros where nothing of it was learned.

        Args:
            embeddings: (n, 384), NaN in the rows of items without.
            values: of the fields of each.
        """
        known = np.isfinite(embeddings).all(axis=1, keepdims=True)
        total: Floats = np.where(known, embeddings - self.mean, 0).astype(np.float32) @ self.text
        for row, of_item in enumerate(values):
            for value in of_item:
                if value in self.fields:
                    total[row] += self.fields[value]
        return total


def learn_content_map(
    factors: Floats,
    importance: Floats,
    embeddings: Floats,
    values: Sequence[Collection[str]],
    *,
    seed: int = 0,
) -> ContentMap:
    """The ridge regression of the factors of items on their content.

    Its strength and the scale of the fields beside the text are those that predict the factors of items best
    that were left out, in five folds.

    Args:
        factors: (n_items, dimensions), what to predict.
        importance: (dimensions,), what an error in each of them costs: the mean square of the query vectors.
        embeddings: (n_items, 384) of unit length, NaN in the rows of items without.
        values: of each item's fields, such as "category=Drama"; each counts once, the rarer the more.
        seed: of the folds.
    """
    mean, text = _centered(embeddings)
    names, field_weights, fields = _field_matrix(values)
    fold = np.random.default_rng(seed).integers(0, _FOLDS, len(factors))
    nothing = float((factors**2 @ importance).sum())
    best = (np.inf, _REGS[-1], 1.0)
    for share in _FIELD_SHARES if names else (1.0,):
        features = _joined(text, fields, share)
        errors = dict.fromkeys(_REGS, 0.0)
        for left_out in range(_FOLDS):
            train, test = fold != left_out, fold == left_out
            gram, cross = _products(features[train], factors[train])
            for reg in _REGS:
                predicted = features[test] @ _solved(gram, cross, reg)
                errors[reg] += float(((predicted - factors[test]) ** 2 @ importance).sum())
        reg = min(errors, key=errors.__getitem__)
        best = min(best, (errors[reg], reg, share))
    error, reg, share = best
    weights = _solved(*_products(_joined(text, fields, share), factors), reg)
    return ContentMap(
        mean,
        weights[: text.shape[1]],
        dict(
            zip(names, weights[text.shape[1] :] * (np.float32(share) * field_weights)[:, None], strict=True)
        ),
        error / nothing if nothing else 1.0,
    )


def _centered(embeddings: Floats) -> tuple[Floats, Floats]:
    known = np.asarray(np.isfinite(embeddings).all(axis=1))
    mean = embeddings[known].mean(axis=0) if known.any() else np.zeros(embeddings.shape[1], np.float32)
    centered: Floats = np.where(known[:, None], embeddings - mean, 0).astype(np.float32)
    return mean, centered


def _field_matrix(values: Sequence[Collection[str]]) -> tuple[list[str], Floats, Sparse]:
    """The values that are learned, the weight of each, and (n_items, n_values) of these weights.

    A weight is the logarithm of how rare the value is, times what makes the mean square of a row 1.
    """
    counts = Counter(value for of_item in values for value in set(of_item))
    names = sorted(sorted(counts), key=counts.__getitem__, reverse=True)[:MOST_FIELDS]
    column = {name: number for number, name in enumerate(names)}
    rows = [row for row, of_item in enumerate(values) for value in set(of_item) if value in column]
    columns = [column[value] for of_item in values for value in set(of_item) if value in column]
    weights = np.log(len(values) / np.array([counts[name] for name in names], dtype=np.float64))
    square = (weights[columns] ** 2).sum() / max(1, len(values))
    weights = (weights / np.sqrt(square) if square else weights).astype(np.float32)
    return names, weights, csr_array((weights[columns], (rows, columns)), shape=(len(values), len(names)))


def _joined(text: Floats, fields: Sparse, share: float) -> Sparse:
    return csr_array(hstack([csr_array(text), fields * np.float32(share)], format="csr"))


def _products(features: Sparse, factors: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    gram = (features.T @ features).toarray().astype(np.float64)
    return gram, (features.T @ factors).astype(np.float64)


def _solved(gram: npt.NDArray[np.float64], cross: npt.NDArray[np.float64], reg: float) -> Floats:
    system = gram.copy()
    system[np.diag_indices(len(system))] += reg
    solution: Floats = lapack.dposv(system, cross, lower=1, overwrite_a=1)[1].astype(np.float32)
    return solution
