"""One feature given those before it, by any regressor."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgWarning

from destructors._compat import HasMethods, Interval, StrOptions, limit_threadpools
from destructors.autoregressive._regressors import CrossFit, as_predictor
from destructors.base import Destructor
from destructors.maps import Affine, Chain, Map
from destructors.maps._autoregressive import Autoregressive, bound_log_scale, round_seen
from destructors.rows import (
    Fold,
    Rows,
    fold_rows,
    is_over,
    map_threads,
    robust_mean_and_scale,
)

# Rows on which an order of the features is looked for.
_N_ORDER_ROWS = 3000
# In standard units: squares of values far out would be all that a regressor minds.
_FAR = 10.0


class RegressionDestructor(Destructor):
    r"""Take from each feature what those before it tell about its mean.

    With ``f_j`` a regression of feature ``j`` on the features before it,

    .. math:: z_j = (x_j - f_j(x_{<j})) / s_j,

    an additive autoregressive map whose log-determinant is :math:`-\sum_j \log s_j`.
    A feature that the others do not predict on held-out rows is only brought to mean 0
    and standard deviation 1. The result does not depend on the units of the features.

    Parameters
    ----------
    regressor : estimator, default=None
        Any scikit-learn regressor. It sees all features in standard units, and none of
        what it shall predict farther than 10 from 0. None stands for
        :class:`~sklearn.ensemble.HistGradientBoostingRegressor` whose number of
        iterations is chosen on the held-out folds. `destructors.save` can save this one
        and linear models; others pickle only.
    order : array-like of int, "auto" or None, default=None
        Order of the features; None takes them as they come, "auto" puts those first
        that the others predict least.
    min_r2 : float, default=0.05
        Share of a feature's variance that must be predicted on held-out rows for the
        prediction to be used.
    heteroscedastic : bool, default=False
        Whether the scale may depend on the features before, by a regression of the
        logarithm of the residual's size. It is bounded, and used for a feature only
        where it raises the held-out likelihood.
    n_folds : int, default=2
        Number of folds by which held-out residuals are found.
    n_jobs : int, default=None
        Number of threads that fit features, and transform rows, side by side. The
        result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the regressors.

    Attributes
    ----------
    order_ : ndarray of shape (``n_features_in_``,)
        Features in the order in which they are predicted.
    regressors_ : list of length ``n_features_in_``
        The regressor of each feature, in standard units; None where the others do not
        predict it.
    scale_ : ndarray of shape (``n_features_in_``,)
        Standard deviation of the held-out residuals; of the feature itself where the
        others do not predict it.
    r2_ : ndarray of shape (``n_features_in_``,)
        Share of the variance that is predicted on held-out rows; 0 for the first.
    map_ : Chain
        What was learned: to standard units, and the
        :class:`~destructors.maps.Autoregressive` map there, in which the models of
        ``regressors_`` are data where their kind is known.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Notes
    -----
    In a stack the next layer is fitted on held-out residuals: each training row is
    transformed by regressors that did not see it, as new rows are. Otherwise the next
    layer would learn from residuals that are too small.

    A predictor may have jumps, as those of trees; the map is a bijection all the same,
    since it shifts one feature by a function of others. Regressors see features in
    single precision, so that the last bits that an inverse may lose carry no row across
    a jump.

    References
    ----------
    Papamakarios, Pavlakou and Murray, *Masked autoregressive flow for density
    estimation*, NeurIPS 2017, for the map; the regressors and their cross-fitting are
    ours.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.autoregressive import RegressionDestructor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> X = np.c_[x, np.sin(3 * x) + rng.normal(scale=0.1, size=2000)]
    >>> model = RegressionDestructor(random_state=0).fit(X)
    >>> model.scale_.round(1)
    array([1. , 0.1])
    """

    _parameter_constraints: ClassVar[dict] = {
        "regressor": [HasMethods(["fit", "predict"]), None],
        "order": ["array-like", StrOptions({"auto"}), None],
        "min_r2": [Interval(Real, None, 1, closed="left")],
        "heteroscedastic": ["boolean"],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        regressor: Any = None,
        *,
        order: ArrayLike | Literal["auto"] | None = None,
        min_r2: float = 0.05,
        heteroscedastic: bool = False,
        n_folds: int = 2,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.regressor = regressor
        self.order = order
        self.min_r2 = min_r2
        self.heteroscedastic = heteroscedastic
        self.n_folds = n_folds
        self.n_jobs = n_jobs
        self.random_state = random_state

    # ------------------------------------------------------------------ hooks

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        # Regressors draw and bin as they like: fitted on unique rows in a fixed order,
        # they still take weights for repeated rows.
        values, weight, place = fold.train.unique()
        rows = Rows.of(values, weight, unit=fold.train.unit)
        center, units, constant = robust_mean_and_scale(rows)
        to_units = Affine(center, units)
        rows = rows.through(to_units)
        values = rows.values
        seeds = random_state.randint(2**31 - 1, size=2)
        n_folds = min(self.n_folds, len(rows))
        folds = fold_rows(values, weight, n_folds, seeds[0]) if n_folds > 1 else []
        cross = CrossFit(self.regressor, weight, folds, seeds[1])
        # That columns are nearly collinear is no news for a predictor of held-out rows:
        # what it is worth they tell. Filters of warnings are common to all threads.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LinAlgWarning)
            self.order_ = self._find_order(rows, seeds[1])
            in_order = map_threads(
                lambda k: self._fit_feature(values, k, cross, constant),
                range(rows.n_features),
                fold.train.n_jobs,
            )
        parts = [in_order[k] for k in np.argsort(self.order_)]
        self.regressors_ = [part.regressor for part in parts]
        scale = np.array([part.scale for part in parts])
        self.scale_ = scale * units
        self.r2_ = np.array([part.r2 for part in parts])
        Z = np.column_stack([part.residual / np.exp(part.log_s) for part in parts])
        log_det = -np.sum([part.log_s for part in in_order], axis=0)
        self._leftover = Z[place], (rows.log_det + log_det)[place]
        regressions = Autoregressive(
            self.order_,
            tuple(as_predictor(part.regressor) for part in parts),
            tuple(as_predictor(part.log_scale) for part in parts),
            scale,
        )
        return Chain((to_units, regressions))

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        """Return held-out residuals: those of regressors that did not see the row."""
        moved = fold.train.moved(*self._leftover)
        return Fold(moved, fold.validation_through(map_))

    # ------------------------------------------------------------------ one feature

    # The threads of ``n_jobs`` are all there are: those of OpenMP would come on top.
    @limit_threadpools(limits=1, user_api="openmp")
    def _fit_feature(
        self, values: NDArray, k: int, cross: CrossFit, constant: NDArray
    ) -> "_Feature":
        """Return what is learned of the feature at place ``k`` of the order."""
        j = self.order_[k]
        y, before = _draw_in(values[:, j]), round_seen(values[:, self.order_[:k]])
        alone = _Feature(None, None, 1.0, 0.0, values[:, j], np.zeros(len(y)))
        if k == 0 or not cross.folds or constant[j] or is_over():
            return alone
        predicted, n_iter = cross.predict(before, y)
        mean_square = np.average((y - predicted) ** 2, weights=cross.weight)
        variance = _variance(y, cross.weight)
        r2 = 1.0 - mean_square / variance
        if r2 < self.min_r2:
            return alone._replace(r2=r2)
        # An exact relation leaves a scale that can still be divided by.
        residual = values[:, j] - predicted
        scale = max(_size(residual, cross.weight), 1e-10 * np.sqrt(variance))
        regressor = cross.fit(before, y, n_iter)
        log_s = np.full(len(y), np.log(scale))
        part = _Feature(regressor, None, scale, r2, residual, log_s)
        return _vary_scale(part, before, cross) if self.heteroscedastic else part

    # ------------------------------------------------------------------ order

    @limit_threadpools(limits=1, user_api="openmp")
    def _find_order(self, rows: Rows, seed: int) -> NDArray:
        """Return the order of the features."""
        d = rows.n_features
        if not isinstance(self.order, str | None):
            order = np.asarray(self.order)
            if order.shape != (d,) or not (np.sort(order) == np.arange(d)).all():
                raise ValueError(
                    f"order must hold each of the {d} features once, got {order}."
                )
            return order.astype(np.intp)
        # Rows stand in the order of their hashes, so the first are a random sample.
        few = rows.take(slice(_N_ORDER_ROWS))
        X, weight, half = few.values, few.weights, len(few) // 2
        if self.order is None or d < 3 or half < 2:
            return np.arange(d)
        train, test = np.arange(half), np.arange(half, len(X))
        cross = CrossFit(self.regressor, weight, [(train, test)], seed)
        r2 = np.zeros(d)
        for j in range(d):
            if is_over():
                break
            y, others = _draw_in(X[:, j]), round_seen(np.delete(X, j, axis=1))
            predicted, _ = cross.predict(others, y)
            error = (y - predicted)[test]
            mean_square = np.average(error**2, weights=weight[test])
            variance = _variance(y[test], weight[test])
            r2[j] = 1.0 - mean_square / variance if variance > 0 else 0.0
        return np.argsort(r2, kind="stable")


class _Feature(NamedTuple):
    """What is learned of one feature, and its training rows as new rows would look."""

    regressor: Any
    log_scale: Any
    scale: float
    r2: float
    residual: NDArray
    log_s: NDArray


def _draw_in(y: NDArray) -> NDArray:
    return np.clip(y, -_FAR, _FAR)


def _variance(y: NDArray, weight: NDArray) -> float:
    center = np.average(y, weights=weight)
    return np.average((y - center) ** 2, weights=weight)


def _size(residual: NDArray, weight: NDArray) -> float:
    """Return the root mean square, but for values far out."""
    rows = Rows.of(residual[:, None], weight)
    [center], [scale], [constant] = robust_mean_and_scale(rows)
    return float(abs(center) if constant else np.hypot(center, scale))


def _vary_scale(part: _Feature, before: NDArray, cross: CrossFit) -> _Feature:
    """Return the feature with a scale that varies, if held-out rows are for it."""
    scaled = part.residual / part.scale
    target = np.log(np.maximum(np.abs(scaled), 1e-3))
    shape, n_iter = cross.predict(before, target)
    shape = bound_log_scale(shape)
    scaled *= np.exp(-shape)
    # The regression of a logarithm is off by a constant, which the scale takes up.
    factor = _size(scaled, cross.weight)
    gain = -np.average(shape, weights=cross.weight) - np.log(factor)
    if not gain > 0:
        return part
    scale = part.scale * factor
    log_scale, log_s = cross.fit(before, target, n_iter), np.log(scale) + shape
    return part._replace(log_scale=log_scale, scale=scale, log_s=log_s)
