"""Fitted scikit-learn regressors as predictors that a map can hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import SGDRegressor

from destructors._compat import LinearModel, limit_threadpools
from destructors.maps._external import External
from destructors.maps._predictors import BoostedTrees, Linear, Predictor

# Losses whose trees add up to the prediction itself, not to a function of it.
_PLAIN_LOSSES = ("squared_error", "absolute_error", "quantile")


@dataclass(frozen=True, eq=False, repr=False)
class Opaque(External, Predictor):
    """A regressor that nothing is known of but that it predicts.

    Parameters
    ----------
    regressor : estimator
        A fitted regressor.
    """

    regressor: Any

    # The threads of ``n_jobs`` are all there are: those of OpenMP would come on top.
    @limit_threadpools(limits=1, user_api="openmp")
    def predict(self, X: NDArray) -> NDArray:
        """Predict a number for each row; see `Predictor.predict`."""
        return self.regressor.predict(X)


def as_predictor(regressor: Any) -> Predictor | None:
    """Return what a regressor has learned: as plain data if its kind is known.

    Parameters
    ----------
    regressor : estimator or None
        A fitted regressor of one target.

    Returns
    -------
    predictor : Predictor or None
        `BoostedTrees` of a `HistGradientBoostingRegressor`, `Linear` of a linear
        model, else `Opaque`; None of None.
    """
    if regressor is None:
        return None
    if type(regressor) is HistGradientBoostingRegressor:
        categories = regressor.is_categorical_ is not None
        if regressor.loss in _PLAIN_LOSSES and not categories:
            return _read_trees(regressor)
    elif _is_linear(regressor):
        coefficients = np.asarray(regressor.coef_, dtype=np.float64)
        return Linear(coefficients, float(np.squeeze(regressor.intercept_)))
    return Opaque(regressor)


def _is_linear(regressor: Any) -> bool:
    """Return whether it predicts by coefficients and an intercept, and nothing else."""
    # A class that is not scikit-learn's own may predict otherwise than its base does.
    known = type(regressor).__module__.startswith("sklearn.linear_model.")
    is_linear = isinstance(regressor, LinearModel | SGDRegressor)
    return known and is_linear and isinstance(regressor, RegressorMixin)


def _read_trees(regressor: HistGradientBoostingRegressor) -> BoostedTrees:
    """Return trees whose nodes are numbered so that children stand side by side."""
    roots, start = [], 0
    parts: list[tuple[Any, ...]] = []
    for (tree,) in regressor._predictors:
        nodes = tree.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        inner = np.flatnonzero(~is_leaf)
        # The root stays first; inner node i gets its children at 2 i + 1 and 2 i + 2.
        place = np.zeros(len(nodes), np.int64)
        place[nodes["left"][inner]] = 2 * np.arange(len(inner)) + 1
        place[nodes["right"][inner]] = 2 * np.arange(len(inner)) + 2
        order = np.argsort(place)
        nodes, is_leaf = nodes[order], is_leaf[order]
        left = np.where(is_leaf, np.arange(len(nodes)), place[nodes["left"]])
        parts.append(
            (
                np.where(is_leaf, 0, nodes["feature_idx"]),
                np.where(is_leaf, np.inf, nodes["num_threshold"]),
                left + start,
                nodes["value"],
            )
        )
        roots.append(start)
        start += len(nodes)
    feature, threshold, left, value = map(np.concatenate, zip(*parts, strict=True))
    return BoostedTrees(
        float(regressor._baseline_prediction.item()),
        np.array(roots, np.int64),
        feature.astype(np.int32),
        threshold,
        left.astype(np.int32),
        value,
    )
