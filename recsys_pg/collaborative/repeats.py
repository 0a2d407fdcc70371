"""How much what somebody had before counts where it may be recommended again, as in a coffee shop."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from recsys_pg.collaborative.comparison import ndcg_of_users, users_at_once
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.mixture import Mixture, Term, scores_of
from recsys_pg.collaborative.operators.operator import Scorer
from recsys_pg.collaborative.shortlist import Shortlist
from recsys_pg.types import Progress

OPERATOR = "repeat"
LEAST_SHARE = 0.02
"""Of held-out likes that the user had liked before; below it people do not come back."""

_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""In units of the mean user's best score."""


def with_repeats(
    mixture: Mixture, operators: Mapping[str, Scorer], holdout: Holdout, progress: Progress
) -> Mixture:
    """The mixture, and the operator `repeat` at the decay and weight that rank all items best, seen or not.

    It changes only the scores of items that the user has seen. Nothing is added where few people come back.
    operators are those of the mixture, and `repeat`.
    """
    again = holdout.again
    repeated = again.nnz - holdout.targets.nnz
    if repeated < LEAST_SHARE * again.nnz:
        return mixture
    asked = np.flatnonzero(np.diff(again.indptr))
    decays = sorted({term.decay for term in mixture.terms})
    totals = np.zeros((len(decays), len(_WEIGHTS)))
    batch = users_at_once(again.shape[1])
    first = scores_of(mixture, operators, holdout.histories.of(asked[:batch])).max(axis=1).mean()
    unit = float(first) if first > 0 else 1.0
    for start in range(0, len(asked), batch):
        users = asked[start : start + batch]
        known = holdout.histories.of(users)
        scores = scores_of(mixture, operators, known)
        owned = [operators[OPERATOR].scores(known.decayed(decay)) for decay in decays]
        # only what a user has moves, and what is first of the rest stays so
        shortlist = Shortlist.of([scores], again[users].toarray() > 0, also=owned[-1] != 0)
        of_items = shortlist.part_of(scores)
        for row, own in enumerate(owned):
            for column, weight in enumerate(_WEIGHTS):
                ranked = of_items + np.float32(weight * unit) * shortlist.part_of(own)
                totals[row, column] += ndcg_of_users(ranked, *shortlist.sparse).sum()
        progress("weigh repeats", start + len(users), len(asked))
    row, column = divmod(int(np.argmax(totals)), len(_WEIGHTS))
    if _WEIGHTS[column] == 0:
        return mixture
    term = Term(OPERATOR, decays[row], _WEIGHTS[column] * unit, _WEIGHTS[column])
    return replace(mixture, terms=(*mixture.terms, term))
