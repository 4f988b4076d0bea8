"""Means of missing numbers, corrected by regressions on the row as a density fills it.

A mixture of few classes knows little of a relation that is a line, or of the order of
categories, and its means are too sure of themselves where numbers lie far out. How far
to trust it, regressions and the mean of all rows, rows tell that neither has seen: the
weights of all are positive and add up to one (stacking: D. H. Wolpert, *Stacked
generalization*, Neural Networks 5, 1992; L. Breiman, *Stacked regressions*, Machine
Learning 24, 1996). Amounts of which causes are factors have a regression on a symmetric
logarithm (N. Duan, *Smearing estimate*, JASA 78, 1983, on the way back). What a few
rows far out would decide alone is not learned from them (winsorising: P. J. Huber and
E. M. Ronchetti, *Robust Statistics*, 2009); all rows decide the mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from destructors.estimators._mixture_density import MixtureDensity
from destructors.flows._mixed_start import fit_start
from destructors.greedy import Progress
from destructors.maps import Density
from destructors.maps._imputer import MOST_CATEGORIES, MeanRegression, see, unbend
from destructors.mixture._mixed_fit import MixedSettings, unique
from destructors.rows import Fold, Rows, make_splits
from destructors.rows._splits import column_unit

# All rows are held out in turn, a fifth each: half, where the rest is enough to learn
# from. On training rows of adult a tenth alone was too few for columns of heavy tails.
_FEW_ROWS, _N_FOLDS, _N_HALVES = 10_000, 5, 2
# Fewer rows that have a number tell nothing of its regression.
_LEAST_ROWS = 20
# No row has a larger share of the squares that slopes are fitted to, and none of few
# rows is cut to less than so many times the mean. On training rows of german, crx and
# adult, half of the entries hidden, shares of a tenth and of a hundredth do as well.
_LARGEST_SHARE, _MOST_TIMES = 1.0 / 30.0, 10.0
# Farther out than this squares overflow.
_LARGEST = 1e150
# Strengths of a ridge to choose from, in rows.
_RIDGES = np.geomspace(0.1, 1e7, 25)
# Variance about a logarithm from which on it moves the mean no more: of what is skewed
# so much, few rows decide the mean.
_MOST_SPREAD = 4.0
# With more of them in all, no categories have indicators.
_MOST_INDICATORS = 500


def learn_regressions(
    learner: MixtureDensity, X: Any, random_state: np.random.RandomState
) -> list[MeanRegression]:
    """Return regressions of those columns of numbers that gain by them.

    Parameters
    ----------
    learner : MixtureDensity
        Fitted to the rows.
    X : array-like or DataFrame of shape (n_samples, n_features)
        The rows.
    random_state : RandomState
        Of the folds.

    Returns
    -------
    regressions : list of MeanRegression
        Those that have a weight in the smallest squared error of rows left out; none of
        columns of which that is the mean of the density.
    """
    density = learner.to_density()
    kinds, values = density.kinds, density.encode_holes(X)
    columns = np.flatnonzero(kinds <= 0)
    rows = unique(Rows.of(values, np.ones(len(values)), kinds=kinds))
    if not len(columns) or len(rows) < _LEAST_ROWS:
        return []
    parts = []
    for train, test in _split(rows, random_state.randint(2**31 - 1)):
        if np.isnan(train.values).all(axis=0).any():
            return []
        seed = random_state.randint(2**31 - 1)
        parts.append((_refit(learner, density, Fold(train, test), seed), test))
    return [each for j in columns for each in _learn(int(j), kinds, parts)]


def _split(rows: Rows, seed: int) -> list[tuple[Rows, Rows]]:
    n_folds = _N_FOLDS if len(rows) < _FEW_ROWS else _N_HALVES
    missing = np.isnan(rows.values)
    whole = np.hstack([np.where(missing, 0.0, rows.values), missing])
    splits = make_splits(Rows.of(whole, rows.weights), n_folds, 0.1, seed)
    return [(rows.take(train), rows.take(test)) for train, test in splits]


def _refit(learner: MixtureDensity, density: Density, fold: Fold, seed: int) -> Density:
    """Return what the learner makes of other rows, with as many classes."""
    n_classes = min(learner.n_components_, len(fold.train))
    how = MixedSettings(
        n_classes, learner.tol, learner.reg_covar, learner.max_iter, 0.1
    )
    rng = np.random.RandomState(seed)
    start = fit_start(fold, learner.marginal, how, rng, Progress(None))
    return replace(density, map=start.map, base=start.em.mixture)


def _learn(
    column: int, kinds: NDArray, parts: Sequence[tuple[Density, Rows]]
) -> list[MeanRegression]:
    whats = list(_choices(kinds))
    most = MOST_CATEGORIES if "indicators" in whats else 0
    seen, truth, weight = [], [], []
    for density, rows in parts:
        known = np.flatnonzero(~np.isnan(rows.values[:, column]))
        hidden = rows.values[known].copy()
        truth.append(hidden[:, column].copy())
        hidden[:, column] = np.nan
        seen.append(density.expect_rows(hidden, most)[1])
        weight.append(rows.weights[known])
    E, y, w = np.vstack(seen), np.concatenate(truth), np.concatenate(weight)
    if (
        len(y) < _LEAST_ROWS
        or y.min() == y.max()
        or max(abs(y).max(), abs(E).max()) > _LARGEST
    ):
        return []
    means, ends = E[:, column], (float(y.min()), float(y.max()))
    middle = float(np.average(y, weights=w))
    limit = far_out(y - middle, w)
    changes = np.clip(y - means, -limit, limit)
    beyond = float(np.average(y - means - changes, weights=w))
    alone = Ridge(see(E, column, kinds, "mean"), w)
    found = [_regression(column, False, "mean", alone, np.zeros(1), middle, ends)]
    left_out = [np.full(len(y), middle)]
    for what in whats:
        n_alike = E.shape[1] - len(kinds) if what == "indicators" else 0
        ridge = Ridge(see(E, column, kinds, what), w, n_alike)
        for is_change in (True, False):
            base = means if is_change else np.zeros(len(y))
            target = means + changes - base
            fit = ridge.fit(target)
            of = what, ridge, fit.coef, fit.intercept + beyond, ends
            found.append(_regression(column, is_change, *of))
            left_out.append(base + target - fit.left_out + beyond)
    bent = _bend(found[-1], ridge, y, w)
    if bent is not None:
        found.append(bent[0])
        left_out.append(bent[1])
    P, target = np.column_stack([means, *left_out]), means + changes + beyond
    weights = stack(P, target, w)[1:]
    both = zip(found, weights, strict=True)
    return [replace(each, weight=float(v)) for each, v in both if v > 0.0]


def _bend(
    like: MeanRegression, ridge: "Ridge", y: NDArray, weight: NDArray
) -> tuple[MeanRegression, NDArray] | None:
    """Return a regression of the same columns on a symmetric logarithm, and its means
    of rows left out: for amounts, of which causes are factors. None if y is too large.
    """
    middle, unit, factor = column_unit(y, weight)
    middle, unit = middle / factor, unit / factor
    with np.errstate(over="ignore"):
        bent = np.arcsinh((y - middle) / unit)
    if not np.isfinite(bent).all():
        return None
    fit = ridge.fit(bent)
    spread = float(np.average(fit.left_out**2, weights=weight))
    how = replace(
        like,
        is_change=False,
        coef=fit.coef,
        intercept=fit.intercept,
        middle=float(middle),
        unit=float(unit),
        growth=float(np.exp(min(spread, _MOST_SPREAD) / 2.0)),
    )
    left_out = np.clip(unbend(bent - fit.left_out, how), how.lower, how.upper)
    return how, left_out


def _regression(
    column: int,
    is_change: bool,
    what: str,
    ridge: "Ridge",
    coef: NDArray,
    intercept: float,
    ends: tuple[float, float],
) -> MeanRegression:
    of = ridge.centre, ridge.scale, ridge.lowest, ridge.highest, coef
    return MeanRegression(column, is_change, what, *of, intercept, *ends)


def stack(P: NDArray, y: NDArray, weight: NDArray) -> NDArray:
    """Return the weights of predictions whose mean has the smallest squared error.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_predictions)
        Predictions of rows that were left out.
    y : ndarray of shape (n_samples,)
        Truth.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    weights : ndarray of shape (n_predictions,)
        At least zero, of sum one.
    """
    errors = (P - y[:, None]) * np.sqrt(weight / weight.sum())[:, None]
    R = np.linalg.qr(errors / max(float(abs(errors).max()), 1e-300), mode="r")
    # Of weights s v, v of sum one, |R s v|^2 + (s - 1)^2 is at best
    # |R v|^2 / (1 + |R v|^2): the v that is best so is best for |R v|^2 too.
    A = np.vstack([R, np.ones(P.shape[1])])
    weights, _ = nnls(A, np.append(np.zeros(len(R)), 1.0))
    return weights / weights.sum()


def far_out(residuals: NDArray, weight: NDArray) -> float:
    """Return the size at which residuals are cut, so that no row decides alone.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples,)
    weight : ndarray of shape (n_samples,)

    Returns
    -------
    limit : float
        The largest at which no row of weight one has more than a thirtieth of the sum
        of the squares that are cut there, or ten times its part of the rows.
    """
    share = max(_LARGEST_SHARE, _MOST_TIMES / weight.sum())
    squares = residuals**2
    order = np.argsort(squares, kind="stable")
    squares, weight = squares[order], weight[order]
    inside = np.cumsum(weight * squares)
    beyond = np.cumsum(weight[::-1])[::-1] - weight
    last = np.flatnonzero(squares <= share * (inside + beyond * squares))[-1]
    if last == len(squares) - 1:
        return float(np.sqrt(squares[-1]))
    # Between this row and the next the sum is a line.
    limit = share * inside[last] / (1.0 - share * beyond[last])
    return float(np.sqrt(np.clip(limit, squares[last], squares[last + 1])))


def _choices(kinds: NDArray) -> Iterator[str]:
    yield "mean"
    if (kinds <= 0).sum() > 1:
        yield "numbers"
    codes = kinds[kinds > 0]
    if len(codes):
        yield "codes"
        if codes[codes <= MOST_CATEGORIES].sum() <= _MOST_INDICATORS:
            yield "indicators"


class Ridge:
    """Ridge regressions of several targets on the same columns, standardised.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
    weight : ndarray of shape (n_samples,)
    n_alike : int, default=0
        The last columns, so many, keep their units: probabilities of categories, whose
        effects so are alike in size, as in a model of random effects. Standardised,
        rare ones would be large, by the few rows that have them.
    """

    def __init__(self, X: NDArray, weight: NDArray, n_alike: int = 0):
        self._weight = weight
        self.centre = np.average(X, axis=0, weights=weight)
        scale = np.sqrt(np.average((X - self.centre) ** 2, axis=0, weights=weight))
        scale[len(scale) - n_alike :] = 1.0
        self.scale = np.where(scale > 0, scale, 1.0)
        Z = (X - self.centre) / self.scale
        self.lowest, self.highest = Z.min(axis=0), Z.max(axis=0)
        self._root = np.sqrt(weight)
        self._u, self._s, self._v = np.linalg.svd(
            Z * self._root[:, None], full_matrices=False
        )

    def fit(self, y: NDArray) -> "RidgeFit":
        """Return the regression of the strength that errs least on rows left out.

        Parameters
        ----------
        y : ndarray of shape (n_samples,)
        """
        weight = self._weight
        middle = float(np.average(y, weights=weight))
        away = (y - middle) * self._root
        along, least = self._u.T @ away, np.inf
        coef, left_out = np.zeros(len(self._s)), away
        for ridge in _RIDGES:
            shrunk = self._s**2 / (self._s**2 + ridge)
            leverage = self._u**2 @ shrunk + weight / weight.sum()
            errors = (away - self._u @ (shrunk * along)) / np.maximum(
                1.0 - leverage, 1e-6
            )
            if errors @ errors < least:
                least, left_out = float(errors @ errors), errors
                coef = self._s / (self._s**2 + ridge) * along
        return RidgeFit(self._v.T @ coef, middle, left_out / self._root)


class RidgeFit(NamedTuple):
    """A regression of standardised columns.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
    intercept : float
    left_out : ndarray of shape (n_samples,)
        Error of each row, left out.
    """

    coef: NDArray
    intercept: float
    left_out: NDArray
