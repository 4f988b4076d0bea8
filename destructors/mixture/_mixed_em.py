"""Expectation-maximisation for mixtures of numbers, integers and codes with holes.

Values are taken to be missing at random: whether one is may depend on what is there,
not on what is not. Then what is missing is summed out, and no model of the holes is
needed (Ghahramani and Jordan, *Supervised learning from incomplete data via an EM
approach*, NIPS 1993).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from destructors.maps._classes import Emission
from destructors.maps._gaussians import (
    Conditional,
    Gaussians,
    bundles,
    positions,
    select,
)
from destructors.maps._mixed_mixture import MixedMixture
from destructors.mixture._covariance import Full, Prior
from destructors.mixture._mixed_counts import (
    CodeCounts,
    Counts,
    IntegerCounts,
    Strength,
)
from destructors.rows import INTEGER, Rows, is_over

# A class that holds less of a row than this has died.
_DEAD = 1e-3
# The background: how much wider than the data it is, and its least weight.
_BACKGROUND_WIDTH = 3.0
_BACKGROUND_WEIGHT = 1e-3
# How sharply a class is cut in two: the slope of the shares, per standard deviation.
_SHARPNESS = 2.0
# Numbers farther out than this are as far out for each class.
_FARTHEST = 1e3


class Table:
    """Training rows, and what is the same in every step.

    Parameters
    ----------
    rows : Rows
        Numbers about one wide, integers and codes by their kinds, NaN what is missing.
    forest : ndarray of int of shape (n_codes,), default=None
        Parents of the columns of codes, -1 for a root. None learns them.
    """

    def __init__(self, rows: Rows, forest: NDArray | None = None):
        X, weight = rows.values, rows.weights
        kinds = np.zeros(rows.n_features, int) if rows.kinds is None else rows.kinds
        self.numbers = np.flatnonzero(kinds == 0)
        self.values = np.clip(X[:, self.numbers], -_FARTHEST, _FARTHEST)
        # What is not learned from does not tell whether a step brought anything either.
        X = X.copy()
        X[:, self.numbers] = self.values
        self.rows = replace(rows, values=X)
        self.bundles = list(bundles(self.values)) if len(self.numbers) else []
        self.discrete: list[Counts] = [
            IntegerCounts(int(j), X[:, j], weight)
            for j in np.flatnonzero(kinds == INTEGER)
        ]
        codes = np.flatnonzero(kinds > 0)
        if len(codes):
            of = X[:, codes], weight, kinds[codes], forest
            self.discrete.append(CodeCounts(codes, *of))

    @property
    def forest(self) -> NDArray | None:
        """Parents of the columns of codes; None without any."""
        found = [each for each in self.discrete if isinstance(each, CodeCounts)]
        return found[0].parents if found else None

    @property
    def smoothed(self) -> list[str]:
        """Kinds of smoothing that matter: fields of `Strength`."""
        return [kind for each in self.discrete for kind in each.smoothed]

    def axes(self, random_state: np.random.RandomState) -> NDArray:
        """Return rows as numbers, along whose directions classes are split."""
        parts = [np.nan_to_num(self.values)]
        parts += [each.axes(random_state) for each in self.discrete]
        return np.hstack(parts)


class Moments(NamedTuple):
    """What a step of EM needs of the rows.

    Attributes
    ----------
    counts : ndarray of shape (n_classes,)
    sums : ndarray of shape (n_classes, n_numbers)
    products : ndarray of shape (n_classes, n_numbers, n_numbers)
        Sums of products about zero, the variance of what is missing with them.
    tables : list of list of ndarray of shape (n_classes, ...)
        Counts of integers and codes.
    """

    counts: NDArray
    sums: NDArray
    products: NDArray
    tables: list[list[NDArray]]


class MixedEM:
    """Fits mixtures to a table, from one class on by splitting.

    The last class is a background: as wide as all rows and more, it takes those that no
    other explains.

    Parameters
    ----------
    table : Table
        What to fit to.
    tol : float
        EM stops when a step changes the mean log density by less, in nats.
    reg_covar : float
        Added to the diagonals of covariances.
    max_iter : int
        Most steps after each splitting.
    strength : Strength
        Smoothing of tables.

    Attributes
    ----------
    mixture : MixedMixture
        What was fitted.
    posterior : ndarray of shape (n_samples, n_classes)
        Probability of the classes of each row.
    lower_bound : float
        Mean log density of the rows, in nats.
    n_iter : int
        Number of steps since classes were split.
    converged : bool
        Whether the last step brought less than ``tol``.
    """

    mixture: MixedMixture
    posterior: NDArray
    lower_bound: float = -np.inf

    def __init__(
        self,
        table: Table,
        tol: float,
        reg_covar: float,
        max_iter: int,
        strength: Strength,
    ):
        self.table, self.tol, self.reg_covar = table, tol, reg_covar
        self.max_iter, self.strength = max_iter, strength
        n = len(table.numbers)
        self._type = Full(Rows.of(np.zeros((1, n)))) if n else None
        self.n_iter, self.converged = 0, False
        self._prior: Prior | None = None

    # ------------------------------------------------------------------ fitting

    def fit_one(self) -> "MixedEM":
        """Fit a single class."""
        n = len(self.table.numbers)
        start = Gaussians(np.zeros((1, n)), np.eye(n)[None])
        everything = np.ones((len(self.table.rows), 1))
        moments = self._moments(everything, np.zeros(1, int), start)
        return self._run(_with_background(moments))

    def split(self, before: "MixedEM", n_classes: int, axes: NDArray) -> "MixedEM":
        """Fit more classes, each of some of the fit before in two halves."""
        posterior, parents = _split(before.posterior, self.table.rows, n_classes, axes)
        gaussians = before.mixture.gaussians
        return self._run(self._moments(posterior, parents, gaussians))

    def fit_from(self, mixture: MixedMixture) -> "MixedEM":
        """Fit from another mixture."""
        self.mixture = mixture
        return self._run(self._expect())

    def _run(self, moments: Moments) -> "MixedEM":
        last = -np.inf
        for step in range(1, self.max_iter + 1):
            self.n_iter = step
            self.mixture = self._maximise(moments, self.strength)
            moments = self._expect()
            self.converged = abs(self.lower_bound - last) < self.tol
            if self.converged or is_over():
                break
            last = self.lower_bound
        self._last = moments
        return self

    def smoothed(self, strength: Strength) -> MixedMixture:
        """Return the mixture of the same rows under another smoothing."""
        return self._maximise(self._last, strength)

    # ------------------------------------------------------------------ steps

    def _expect(self) -> Moments:
        rows, mixture = self.table.rows, self.mixture
        logs = mixture.log_joint(rows.values)
        total = logsumexp(logs, axis=1)
        self.lower_bound = float(np.average(total, weights=rows.weight))
        self.posterior = np.exp(logs - total[:, None])
        parents = np.arange(len(mixture.weights))
        return self._moments(self.posterior, parents, mixture.gaussians)

    def _moments(
        self, posterior: NDArray, parents: NDArray, gaussians: Gaussians | None
    ) -> Moments:
        """Return moments; what class k misses is as ``gaussians[parents[k]]`` says."""
        table = self.table
        tables = [each.count(posterior) for each in table.discrete]
        share = posterior * table.rows.weights[:, None]
        k, n = posterior.shape[1], len(table.numbers)
        sums, products = np.zeros((k, n)), np.zeros((k, n, n))
        if gaussians is not None and n:
            means = gaussians.means[parents]
            for bundle in table.bundles:
                for rows, known, given in gaussians.parts(bundle):
                    seen = table.values[rows], known, given.of(parents), share[rows]
                    _add_moments(*seen, means, sums, products)
        return Moments(share.sum(axis=0), sums, products, tables)

    def _maximise(self, moments: Moments, strength: Strength) -> MixedMixture:
        rows = self.table.rows
        alive = moments.counts > _DEAD * min(1.0, rows.total / len(rows))
        alive[-1] = False
        if not alive.any():
            # The background has all the rows: one class begins anew with them.
            moments = _with_background(
                _each(moments, lambda m: m.sum(0, keepdims=True))
            )
            alive = np.array([True, False])
        counts = moments.counts[alive]
        emissions: list[Emission] = []
        groups = []
        if self._type is not None:
            emissions.append(self._estimate(moments, alive))
            groups.append(self.table.numbers)
        for each, tables in zip(self.table.discrete, moments.tables, strict=True):
            pooled = [
                np.concatenate([n[alive], n.sum(0, keepdims=True)]) for n in tables
            ]
            emissions.append(each.estimate(pooled, strength))
            groups.append(each.columns)
        share = max(moments.counts[-1] / moments.counts.sum(), _BACKGROUND_WEIGHT)
        weights = np.append(counts / counts.sum() * (1.0 - share), share)
        return MixedMixture(weights, tuple(emissions), tuple(groups))

    def _estimate(self, moments: Moments, alive: NDArray) -> Gaussians:
        assert self._type is not None
        counts, sums = moments.counts[alive], moments.sums[alive]
        means = sums / counts[:, None]
        scatter = moments.products[alive] - means[:, :, None] * sums[:, None, :]
        ridge = self.reg_covar * np.eye(sums.shape[1])
        self._prior = self._type.learn_prior(
            scatter, counts, "auto", ridge, self._prior
        )
        covariances = self._prior.estimate(scatter, counts) + ridge
        spread = moments.products.sum(axis=0) / moments.counts.sum()
        # Wider than any class in columns that are constant as well.
        wide = _BACKGROUND_WIDTH**2 * (spread + ridge)
        return Gaussians(
            np.vstack([means, np.zeros(len(ridge))]),
            np.concatenate([covariances, wide[None]]),
        )


def _add_moments(
    X: NDArray,
    known: NDArray,
    given: Conditional,
    share: NDArray,
    means: NDArray,
    sums: NDArray,
    products: NDArray,
) -> None:
    """Add the moments of rows that miss the same columns, or equally many."""
    if known.all():
        sums += share.T @ X
        for k, weight in enumerate(share.T):
            products[k] += (X * weight[:, None]).T @ X
        return
    n_classes, d = means.shape
    filled = np.repeat(X[None], n_classes, axis=0)
    gone = positions(~known)
    expected = given.expect(given.standard_values(select(X, known)))
    expected += means[:, gone] if gone.ndim == 2 else means[:, None, gone]
    missing = np.broadcast_to(~known, X.shape)
    filled[:, missing] = expected.reshape(n_classes, -1)
    weighed = filled * share.T[:, :, None]
    sums += weighed.sum(axis=1)
    products += weighed.transpose(0, 2, 1) @ filled
    if gone.ndim == 1:
        spread = share.sum(axis=0)[:, None, None] * given.covariance
        products[:, gone[:, None], gone] += spread
        return
    spread = share.T[:, :, None, None] * given.covariance
    place = (d * gone[:, :, None] + gone[:, None, :]).ravel()
    for product, own in zip(products, spread, strict=True):
        product += np.bincount(place, own.ravel(), d * d).reshape(d, d)


def _each(moments: Moments, change: Callable[[NDArray], NDArray]) -> Moments:
    """Return moments after a change of each array."""
    tables = [[change(n) for n in each] for each in moments.tables]
    counts, sums, products, _ = moments
    return Moments(change(counts), change(sums), change(products), tables)


def _with_background(moments: Moments) -> Moments:
    """Return moments of classes, and of a background that begins with little."""
    return _each(
        moments, lambda m: np.concatenate([m, _BACKGROUND_WEIGHT * m.sum(0)[None]])
    )


def _split(
    posterior: NDArray, rows: Rows, n_classes: int, axes: NDArray
) -> tuple[NDArray, NDArray]:
    """Return responsibilities of more classes, and which class each was part of.

    The heaviest classes are cut across the direction of largest variance of the rows
    that are mostly theirs.
    """
    posterior, background = posterior[:, :-1].copy(), posterior[:, -1:]
    k = posterior.shape[1]
    mass, weights = rows.weights @ posterior, rows.weights
    heaviest = np.sort(np.argsort(-mass, kind="stable")[: max(n_classes - k, 0)])
    best = np.argmax(posterior, axis=1)
    halves, parents = [posterior], [np.arange(k)]
    for c in heaviest:
        own = np.flatnonzero(best == c)
        if len(own) < 2:
            continue
        part, weight = axes[own], weights[own] / weights[own].sum()
        middle = weight @ part
        centred = (part - middle) * np.sqrt(weight)[:, None]
        # Of many columns and few rows, the products of rows are the smaller matrix.
        is_wide = centred.shape[0] < centred.shape[1]
        products = centred @ centred.T if is_wide else centred.T @ centred
        variances, vectors = np.linalg.eigh(products)
        variance, direction = variances[-1], vectors[:, -1]
        if variance <= 1e-12:
            continue
        if is_wide:
            direction = centred.T @ direction / np.sqrt(variance)
        along = (axes - middle) @ direction / np.sqrt(variance)
        share = expit(_SHARPNESS * along)
        halves.append((posterior[:, c] * share)[:, None])
        posterior[:, c] *= 1.0 - share
        parents.append(np.array([c]))
    return np.hstack([*halves, background]), np.concatenate([*parents, [k]])
