"""Ridge regression of many columns at several strengths, by the smaller of both sides of the features."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from recsys_pg.collaborative.content_features import Joined
from recsys_pg.collaborative.operators.operator import Floats


@dataclass(frozen=True)
class Ridge:
    """W = argmin ‖X · W − Y‖² + reg · ‖W‖², X (n, n_features) and Y (n, columns).

    With fewer rows than features W = Xᵀ · (X · Xᵀ + reg)⁻¹ · Y, which is the same and takes the cube of n.
    gram is the smaller of both products.
    """

    features: Joined
    gram: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]

    @classmethod
    def of(cls, features: Joined, wanted: Floats) -> "Ridge":
        """The regression, whose products serve for all strengths."""
        if _is_wide(features):
            return cls(features, features.gram_of_rows(), wanted.astype(np.float64))
        right = features.transposed_times(wanted).astype(np.float64)
        return cls(features, features.gram_of_columns(), right)

    def solved(self, reg: float) -> Floats:
        """(n_features, columns) at a strength above 0."""
        system = self.gram.copy()
        system[np.diag_indices(len(system))] += reg
        solution: Floats = lapack.dposv(system, self.right, lower=1, overwrite_a=1)[1].astype(np.float32)
        return self.features.transposed_times(solution) if _is_wide(self.features) else solution


def _is_wide(features: Joined) -> bool:
    n_rows, n_columns = features.shape
    return n_rows < n_columns
