"""Regressors of any kind: fitted on folds and on all rows, and as data of a map."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, clone
from sklearn.utils.validation import has_fit_parameter

from destructors._compat import is_linear_model, limit_threadpools
from destructors.maps._autoregressive import BoostedTrees, Linear, Predictor
from destructors.maps._map import External

# Most iterations of the default regressor.
_MAX_ITER = 200
# Weights that a regressor is given add up to no more.
_MOST_ROWS = 2.0**40
# Losses whose trees add up to the prediction itself, not to a function of it.
_PLAIN_LOSSES = ("squared_error", "absolute_error", "quantile")


@dataclass(frozen=True)
class CrossFit:
    """Fits regressors on rows of these weights, and on folds of them.

    Parameters
    ----------
    regressor : estimator or None
        To be cloned; None for one whose number of iterations is chosen on folds.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    folds : list of (ndarray of int, ndarray of int)
        Rows to train on, and rows to predict.
    seed : int
        Seed of the regressors.
    loss : str, default="squared_error"
        What the default regressor minimises.
    """

    regressor: Any
    weight: NDArray
    folds: list[tuple[NDArray, NDArray]]
    seed: int
    loss: str = "squared_error"

    def predict(self, X: NDArray, y: NDArray) -> tuple[NDArray, int | None]:
        """Return predictions by regressors that did not see the row.

        Returns
        -------
        predicted : ndarray of shape (n_samples,)
            The mean of ``y`` for rows that no fold predicts.
        n_iter : int or None
            Mean number of iterations of the default regressor.
        """
        predicted, n_iter = np.full(len(y), np.average(y, weights=self.weight)), []
        for train, test in self.folds:
            model = self.fit(X, y, train=train, test=test)
            predicted[test] = model.predict(X[test])
            if self.regressor is None:
                n_iter.append(model.n_iter_)
        return predicted, max(1, int(np.round(np.mean(n_iter)))) if n_iter else None

    def fit(
        self,
        X: NDArray,
        y: NDArray,
        n_iter: int | None = None,
        train: Any = slice(None),
        test: NDArray | None = None,
    ) -> Any:
        """Return a regressor fitted on the rows ``train``.

        The default one stops by the rows ``test``, or after ``n_iter`` iterations.
        """
        weight = self.weight[train]
        if self.regressor is None:
            held_out = None if test is None else (X[test], y[test], self.weight[test])
            rows = X[train], y[train], weight
            return _boost(*rows, self.seed, n_iter, held_out, self.loss)
        model, options = clone(self.regressor), {}
        if "random_state" in model.get_params(deep=False):
            model.set_params(random_state=self.seed)
        if has_fit_parameter(model, "sample_weight"):
            # Beside more rows a penalty, which counts as one, has no digits.
            share = min(1.0, _MOST_ROWS / weight.sum())
            options["sample_weight"] = weight * share
        elif not (weight == weight[0]).all():
            raise ValueError(
                f"{type(model).__name__} does not take sample_weight: drop the "
                "weights (equal rows count as weights), or choose another regressor."
            )
        return model.fit(X[train], y[train], **options)


def _boost(
    X: NDArray,
    y: NDArray,
    weight: NDArray,
    seed: int,
    n_iter: int | None,
    held_out: tuple[NDArray, NDArray, NDArray] | None,
    loss: str = "squared_error",
) -> Any:
    """Return boosted trees that stop by held-out rows, or after ``n_iter`` trees.

    scikit-learn finds weighted quantiles one at a time, which takes ten times as long
    as all else on few rows. So trees are grown on the numbers of bins, and their
    thresholds put back into the columns' units.
    """
    # Slow to import; only here it need not be there yet.
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        loss,
        max_iter=n_iter or _MAX_ITER,
        early_stopping=held_out is not None,
        random_state=seed,
    )
    edges = [_quantile_edges(x, weight, model.max_bins) for x in X.T]
    options = {}
    if held_out is not None:
        X_val, y_val, weight_val = held_out
        options = {"X_val": _to_bins(X_val, edges), "y_val": y_val}
        options["sample_weight_val"] = weight_val
    model.fit(_to_bins(X, edges), y, sample_weight=weight, **options)
    model._bin_mapper.bin_thresholds_ = edges
    every_edge, starts = np.concatenate(edges), np.cumsum([0, *map(len, edges)])
    for (tree,) in model._predictors:
        inner = np.flatnonzero(tree.nodes["is_leaf"] == 0)
        feature = tree.nodes["feature_idx"][inner]
        bins = tree.nodes["num_threshold"][inner].astype(np.intp)
        tree.nodes["num_threshold"][inner] = every_edge[starts[feature] + bins]
    return model


def _quantile_edges(x: NDArray, weight: NDArray, max_bins: int) -> NDArray:
    """Return what separates bins of about equal weight: midpoints between values."""
    values, place = np.unique(x, return_inverse=True)
    last = np.arange(len(values) - 1)
    if len(values) > max_bins:
        below = np.cumsum(np.bincount(place, weight))
        quantiles = below[-1] * np.arange(1, max_bins) / max_bins
        last = np.unique(np.searchsorted(below[:-2], quantiles))
    return (values[last] + values[last + 1]) / 2


def _to_bins(X: NDArray, edges: list[NDArray]) -> NDArray:
    bins = [np.searchsorted(edge, x) for edge, x in zip(edges, X.T, strict=True)]
    return np.column_stack(bins).astype(np.float64)


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
    from sklearn.ensemble import HistGradientBoostingRegressor

    if type(regressor) is HistGradientBoostingRegressor:
        if regressor.loss in _PLAIN_LOSSES and regressor.is_categorical_ is None:
            return _read_trees(regressor)
    elif _is_linear(regressor):
        coefficients = np.asarray(regressor.coef_, dtype=np.float64)
        return Linear(coefficients, float(np.squeeze(regressor.intercept_)))
    return Opaque(regressor)


def as_log_scale(regressor: Any) -> BoostedTrees:
    """Return the logarithm of the root of what boosted trees of the loss "gamma"
    predict: that of a scale, if they were fitted to squares.
    """
    trees = _read_trees(regressor)
    return replace(trees, baseline=0.5 * trees.baseline, value=0.5 * trees.value)


def _is_linear(regressor: Any) -> bool:
    """Return whether it predicts by coefficients and an intercept, and nothing else."""
    # A class that is not scikit-learn's own may predict otherwise than its base does.
    known = type(regressor).__module__.startswith("sklearn.linear_model.")
    is_regressor = isinstance(regressor, RegressorMixin)
    return known and is_regressor and is_linear_model(regressor)


def _read_trees(regressor: Any) -> BoostedTrees:
    """Return trees whose nodes are numbered so that children stand side by side."""
    trees = [tree.nodes for (tree,) in regressor._predictors]
    nodes, sizes = np.concatenate(trees), np.array([len(tree) for tree in trees])
    roots, tree = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(trees)), sizes)
    is_leaf = nodes["is_leaf"].astype(bool)
    inner = np.flatnonzero(~is_leaf)
    # Roots stay. In a tree the children of inner node i go to 2 i + 1 and 2 i + 2, and
    # a tree has one node more than twice its inner nodes.
    place, left = np.arange(len(nodes)), 2 * np.arange(len(inner)) + 1 + tree[inner]
    start = roots[tree[inner]]
    place[nodes["left"][inner] + start] = left
    place[nodes["right"][inner] + start] = left + 1
    children = place.copy()
    children[inner] = left
    order = np.argsort(place)
    return BoostedTrees(
        float(regressor._baseline_prediction.item()),
        roots,
        np.where(is_leaf, 0, nodes["feature_idx"])[order].astype(np.int32),
        np.where(is_leaf, np.inf, nodes["num_threshold"])[order],
        children[order].astype(np.int32),
        nodes["value"][order],
    )
