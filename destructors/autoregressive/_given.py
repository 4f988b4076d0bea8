"""Mean and scale of one column given others, by regressions added while they help."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors._compat import limit_threadpools
from destructors.autoregressive._regression import _draw_in, _size
from destructors.autoregressive._regressors import CrossFit, as_log_scale, as_predictor
from destructors.maps import Autoregressive, Chain, Map
from destructors.maps._autoregressive import Linear, bound_log_scale, round_seen
from destructors.rows import Rows, fold_rows, is_over

# Times that mean and scale are looked at again, each in the units that the other left.
_N_ROUNDS = 3
# Squares smaller than this, in standard units, tell no smaller scale.
_SMALLEST_SQUARE = 1e-4
# An exact relation, and a constant, leave a scale that can still be divided by.
_SMALLEST_SCALE = 1e-10


@limit_threadpools(limits=1, user_api="openmp")
def regress_last(
    rows: Rows,
    regressors: list[Any],
    heteroscedastic: bool,
    n_folds: int,
    tol: float,
    seed: int,
) -> tuple[Map, Rows]:
    r"""Take from the last column what the others tell about its mean and scale.

    Each step is a regression of the last column, or of its squares by the deviance of
    the gamma distribution, which is the Gaussian likelihood of a scale. A step is kept
    where rows that its regressor did not see gain by it.

    Parameters
    ----------
    rows : Rows
        Different rows, the last column about one wide.
    regressors : list of estimator or None
        What is tried for the mean, in turn; None is boosted trees.
    heteroscedastic : bool
        Whether the scale may depend on the other columns.
    n_folds : int
        Number of folds.
    tol : float
        Least gain of a step, in nats.
    seed : int
        Of the folds and the regressors.

    Returns
    -------
    map_ : Chain
        It leaves all columns but the last.
    rows : Rows
        The rows after it, as new rows would be: each by regressors that did not see it.
    """
    given, y = round_seen(rows.values[:, :-1]), rows.values[:, -1]
    weight, log_det = rows.weights, np.zeros(len(rows))
    folds = fold_rows(rows.values, weight, min(n_folds, len(rows)), seed)
    steps: list[Map] = []
    kinds = [(regressor, False) for regressor in regressors]
    kinds += [(None, True)] if heteroscedastic else []
    helpful = dict.fromkeys(range(len(kinds)), True)
    for _ in range(_N_ROUNDS):
        for k, (regressor, is_scale) in enumerate(kinds):
            if is_over() or not helpful[k]:
                continue
            loss = "gamma" if is_scale else "squared_error"
            cross = CrossFit(regressor, weight, folds, seed, loss)
            found = (_step_scale if is_scale else _step_mean)(given, y, cross)
            moved, log_s, scale, make = found
            size = max(_size(y, weight), _SMALLEST_SCALE)
            gain = np.log(size / scale) - np.average(log_s, weights=weight)
            helpful[k] = gain > tol
            if helpful[k]:
                steps.append(_last_of(given.shape[1] + 1, scale, *make()))
                y, log_det = moved / scale, log_det - log_s - np.log(scale)
    return Chain(tuple(steps)), rows.moved(np.c_[rows.values[:, :-1], y], log_det)


def _last_of(d: int, scale: float, mean: Any, log_scale: Any) -> Map:
    before = (None,) * (d - 1)
    scales = np.append(np.ones(d - 1), scale)
    return Autoregressive(np.arange(d), (*before, mean), (*before, log_scale), scales)


def _step_mean(given: NDArray, y: NDArray, cross: CrossFit) -> tuple:
    target = _draw_in(y)
    predicted, n_iter = cross.predict(given, target)
    residual = y - predicted
    scale = max(_size(residual, cross.weight), _SMALLEST_SCALE)
    make = lambda: (as_predictor(cross.fit(given, target, n_iter)), None)
    return residual, np.zeros(len(y)), scale, make


def _step_scale(given: NDArray, y: NDArray, cross: CrossFit) -> tuple:
    target = np.maximum(_draw_in(y) ** 2, _SMALLEST_SQUARE)
    predicted, n_iter = cross.predict(given, target)
    log_s = bound_log_scale(0.5 * np.log(predicted))
    scaled = y * np.exp(-log_s)
    make = lambda: (
        Linear(np.zeros(given.shape[1]), 0.0),
        as_log_scale(cross.fit(given, target, n_iter)),
    )
    return scaled, log_s, max(_size(scaled, cross.weight), _SMALLEST_SCALE), make
