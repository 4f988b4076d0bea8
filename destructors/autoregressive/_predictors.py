"""Fitted scikit-learn regressors as predictors that a map can hold."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import linear_model
from sklearn.ensemble import HistGradientBoostingRegressor

from destructors._compat import limit_threadpools
from destructors.maps._predictors import BoostedTrees, Linear, Predictor

__all__ = ["Opaque", "as_predictor"]

# Those that predict by coefficients and an intercept, and by nothing else.
_LINEAR = (
    linear_model.ARDRegression,
    linear_model.BayesianRidge,
    linear_model.ElasticNet,
    linear_model.ElasticNetCV,
    linear_model.HuberRegressor,
    linear_model.Lars,
    linear_model.LarsCV,
    linear_model.Lasso,
    linear_model.LassoCV,
    linear_model.LassoLars,
    linear_model.LassoLarsCV,
    linear_model.LassoLarsIC,
    linear_model.LinearRegression,
    linear_model.OrthogonalMatchingPursuit,
    linear_model.OrthogonalMatchingPursuitCV,
    linear_model.QuantileRegressor,
    linear_model.Ridge,
    linear_model.RidgeCV,
    linear_model.SGDRegressor,
    linear_model.TheilSenRegressor,
)
# Losses whose trees add up to the prediction itself, not to a function of it.
_PLAIN_LOSSES = ("squared_error", "absolute_error", "quantile")


@dataclass(frozen=True, eq=False, repr=False)
class Opaque(Predictor):
    """A regressor that nothing is known of but that it predicts.

    It pickles, but a file of `destructors.save` cannot hold it.

    Parameters
    ----------
    regressor : estimator
        A fitted regressor.
    """

    regressor: Any

    def digest(self) -> bytes:
        """Return a hash of the pickled regressor, which may pickle otherwise again."""
        return hashlib.blake2b(pickle.dumps(self.regressor), digest_size=16).digest()

    # The threads of ``n_jobs`` are all there are: those of OpenMP would come on top.
    @limit_threadpools(limits=1, user_api="openmp")
    def predict(self, X):
        """Predict a number for each row; see `Predictor.predict`."""
        return self.regressor.predict(X)


def as_predictor(regressor: Any) -> Predictor:
    """Return what a regressor has learned: as plain data if its kind is known.

    Parameters
    ----------
    regressor : estimator
        A fitted regressor of one target.

    Returns
    -------
    predictor : Predictor
        `BoostedTrees` of a `HistGradientBoostingRegressor`, `Linear` of a linear
        model, else `Opaque`.
    """
    if type(regressor) is HistGradientBoostingRegressor:
        categories = regressor.is_categorical_ is not None
        if regressor.loss in _PLAIN_LOSSES and not categories:
            return _read_trees(regressor)
    elif type(regressor) in _LINEAR:
        coefficients = np.asarray(regressor.coef_, dtype=np.float64)
        return Linear(coefficients, float(np.squeeze(regressor.intercept_)))
    return Opaque(regressor)


def _read_trees(regressor: HistGradientBoostingRegressor) -> BoostedTrees:
    """Number the nodes of all trees so that children stand side by side."""
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
