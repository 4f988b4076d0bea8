"""Trees that are kept only if held-out rows are known to gain by them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from destructors.greedy import StackTask, Trial
from destructors.greedy._tails import TailedNormal
from destructors.rows import Fold, Rows, StoredRows, weighted_mean
from destructors.tree import BoostedTreeDestructor
from destructors.tree._boosted import best_number


class KnownGains(StackTask):
    """Grow a stack in which boosted trees must gain more than they do by chance.

    The number of trees is that by which held-out rows gain most, which on normal data,
    where there is nothing to find, is often more than none. So the mean gain of the
    held-out rows of all folds must be more than its standard error; otherwise there are
    no trees.

    Parameters
    ----------
    candidates, seed, max_layers
        See `StackTask`.
    """

    def prepare(self, layer: Any, fold: Fold) -> None:
        """Let a fit of no trees grow one, which `revise` takes away."""
        if isinstance(layer, BoostedTreeDestructor):
            layer.max_iter = max(layer.max_iter, 1)

    def revise(
        self, states: Sequence[Fold], trials: list[Trial], params: dict[str, Any]
    ) -> list[Trial]:
        """Return fits without trees where these gain nothing for sure."""
        layers = [trial.layer for trial in trials]
        if not all(isinstance(layer, BoostedTreeDestructor) for layer in layers):
            return trials
        if params.get("max_iter") != 0 and _gain_is_known(states, trials):
            return trials
        return [
            Trial(layer._without_trees(), state, self.score(state))
            for layer, state in zip(layers, states, strict=False)
        ]

    def refit_params(self, layers: list[Any]) -> dict[str, Any]:
        """Return what the layers of the folds have found best."""
        params = super().refit_params(layers)
        are_trees = all(isinstance(layer, BoostedTreeDestructor) for layer in layers)
        if are_trees and not any(layer.n_iter_ for layer in layers):
            params["max_iter"] = 0
        return params


def _gain_is_known(states: Sequence[Fold], trials: list[Trial]) -> bool:
    """Return whether all folds gain together, each at best more than its error."""
    means, variances = [], []
    for state, trial in zip(states, trials, strict=False):
        before, after = state.validation, trial.state.validation
        if before is None or isinstance(before, StoredRows):
            # Those on disk are many.
            return True
        base = TailedNormal.of(before.total * before.n_features)
        gain = _score(after, base) - _score(before, base)
        means.append(weighted_mean(gain, before.weight))
        spread = (gain - means[-1]) ** 2
        variances.append(weighted_mean(spread, before.weight) / before.total)
    n_trees, _ = best_number([trial.layer for trial in trials])
    return n_trees > 0 and bool(np.sum(means) > np.sqrt(np.sum(variances)))


def _score(rows: Rows, base: TailedNormal) -> Any:
    return base.logpdf(rows.values) + rows.log_det
