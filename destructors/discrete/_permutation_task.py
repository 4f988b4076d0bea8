"""What a flow of permutations grows: their bases are its objective."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from destructors.base import Destructor
from destructors.discrete import _distributions
from destructors.greedy import Scores, StackTask
from destructors.rows import Fold, Rows


class PermutationTask(StackTask):
    """Permutations as layers, mean log probability under the best base as objective.

    Parameters
    ----------
    candidates, seed
        As in `StackTask`.
    bases : list of (str, float) tuples
        Structures and smoothings of the bases to choose from.
    rows : Rows
        All training rows.
    folds : list of Fold
        What the stack grows on.
    """

    def __init__(
        self,
        candidates: list[tuple[str, Destructor]],
        seed: int,
        bases: list[tuple[str, float]],
        rows: Rows,
        folds: list[Fold],
    ):
        super().__init__(candidates, seed)
        self.bases, self.rows = bases, rows
        # Held-out scores of the bases on a fold, and after a layer.
        self._scores: WeakKeyDictionary[Any, NDArray] = WeakKeyDictionary()
        self.first = self._choose(folds)
        # The best of each structure without any permutation.
        self.structure_scores: dict[str, float] = {}
        means = np.mean([self._score_bases(fold) for fold in folds], axis=0)
        for (structure, _), mean in zip(bases, means.tolist(), strict=True):
            if not mean < self.structure_scores.get(structure, -np.inf):
                self.structure_scores[structure] = mean

    def _score_bases(self, fold: Any) -> NDArray:
        if fold not in self._scores:
            self._scores[fold] = _distributions.score_bases(fold, self.bases)
        return self._scores[fold]

    def _choose(self, places: Sequence[Any]) -> tuple[str, float]:
        """Return the base of the best mean score on folds, or after layers."""
        scores = [self._score_bases(place) for place in places]
        return self.bases[np.argmax(np.mean(scores, axis=0))]

    def score(self, state: Fold) -> Scores:
        [base] = _distributions.fit_bases(state.train, [self._choose([state])])
        held_out = float(self._score_bases(state).max())
        return Scores(state.train.score(base), held_out, held_out)

    def prepare(self, layer: Any, fold: Fold) -> None:
        # Without held-out rows the layer has been told, if there is a choice.
        if fold.validation is not None or len(self.bases) == 1:
            layer.set_params(base=self._choose([fold])[0])

    def check(self, layer: Any, scores: Scores, after: Fold) -> None:
        self._scores[layer] = self._score_bases(after)

    def refit_params(self, layers: list[Any]) -> dict[str, Any]:
        return dict(zip(("base", "alpha"), self._choose(layers), strict=True))
