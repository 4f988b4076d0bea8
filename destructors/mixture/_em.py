"""Weighted expectation-maximisation for Gaussian mixtures, as matrix products.

The log-density of a component is linear in the features of a row (see
`destructors.mixture._covariance`), so the E-step is one product, coefficients times
features, and the M-step another, responsibilities times features, for a block of rows
at a time. Rows are in standard units, where the squares lose no digits that matter; the
few that lie far out even so are left to the background.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from destructors.greedy import Progress
from destructors.mixture._covariance import COVARIANCES, Full, Prior
from destructors.rows import Rows, is_over

# Numbers in the arrays of a block of rows: what fits into the second-level cache.
_BLOCK_SIZE = 2**17
# Responsibilities below exp(-200) are nothing, and subnormal numbers are slow.
_LOWEST = -200.0
# Rows that seeds are found on, and steps of Lloyd's algorithm that improve them.
_MAX_SEED_ROWS = 20_000
_N_LLOYD = 5
# The prior is learned in the first steps, then kept: from there on the penalised
# likelihood can only rise.
_N_PRIOR_STEPS = 30
# Rows farther out than this have no part in the components: beside their squares those
# of others lose digits. Seeds are looked for nearer, or each outlier would be one.
_FAR, _SEEDS_WITHIN = 1e3, 10.0
# Held-out rows may lie anywhere: their squares shall be numbers.
_FARTHEST = 1e100
# A component that holds less than this share of a row has died.
_DEAD = 1e-6
# The background: how much wider than the data it is, and its least weight.
_BACKGROUND_WIDTH = 3.0
_BACKGROUND_WEIGHT = 1e-3


class Mixture(NamedTuple):
    """Parameters of a mixture; shapes as in `destructors.mixture._covariance`."""

    weights: NDArray
    means: NDArray
    covariances: NDArray


@dataclass(eq=False, repr=False)
class EM:
    """Fits mixtures to rows, from seeds or from another mixture.

    Parameters
    ----------
    model : GaussianMixtureDestructor
        Whose parameters say how.
    rows : Rows
        Different rows in standard units and in random order.
    max_iter : int
        Largest number of steps.
    progress : Progress, default=None
        To be told of each step.
    wide : ndarray, default=None
        Covariance of the background. By default it is learned from the rows.

    Attributes
    ----------
    type : Full
        What the covariance type is to EM.
    background : bool
        Whether the last component is a wide one that does not move.
    mixture : Mixture
        The parameters.
    lower_bound : float
        Mean log-density of the rows that are not far out, in nats.
    n_iter : int
        Number of steps.
    converged : bool
        Whether the last step brought less than ``tol``.
    """

    model: Any
    rows: Rows
    max_iter: int
    progress: Progress | None = None
    wide: NDArray | None = None
    _prior: Prior | None = None

    def __post_init__(self) -> None:
        self.given, is_near = self.rows, (np.abs(self.rows.values) <= _FAR).all(axis=1)
        if not is_near.all():
            self.rows = self.given.take(is_near)
        self._far = self.given.total - self.rows.total
        self.type = COVARIANCES[self.model.covariance_type](self.rows)
        self.background = self.model.background and self.type.is_own
        self._ridge = self.model.reg_covar * self.type.unit
        if self.background and self.wide is None:
            # It reaches the farthest rows, wherever these are.
            spread = self.given.sum(self.type.second_moment) / self.given.total
            self.wide = (_BACKGROUND_WIDTH**2 + self._ridge) * spread + self._ridge

    # ------------------------------------------------------------------ fitting

    def fit(self, n_components: int, random_state: np.random.RandomState) -> "EM":
        """Fit from seeds by k-means++, improved by a few steps of Lloyd's algorithm."""
        seeds = draw_in(self.rows.take(slice(_MAX_SEED_ROWS)), _SEEDS_WITHIN)
        seeds = replace(seeds, values=_round(seeds.values))
        n_components = min(n_components, len(seeds))
        weight, columns = seeds.weights, np.ascontiguousarray(seeds.values.T)
        # Slow to import, and not needed before.
        from sklearn.cluster import kmeans_plusplus

        centers, _ = kmeans_plusplus(
            seeds.values, n_components, sample_weight=weight, random_state=random_state
        )
        for _ in range(_N_LLOYD):
            labels = _nearest(columns, centers)
            mass = np.bincount(labels, weight, minlength=n_components)
            for j, column in enumerate(columns):
                sums = np.bincount(labels, weight * column, minlength=n_components)
                # A center that has lost its rows stays where it is.
                np.divide(sums, mass, out=centers[:, j], where=mass > 0)
        moments, _ = self.rows.sum(_moments, self.type, centers)
        return self._run(moments, n_components)

    def fit_from(self, mixture: Mixture) -> "EM":
        """Fit from another mixture."""
        moments, _ = self._expect(mixture, self.rows)
        return self._run(moments, len(mixture.weights) - self.background)

    def _run(self, moments: NDArray, n_components: int) -> "EM":
        if self.background and len(moments) == n_components:
            moments = _with_background(moments)
        last, self.converged = -np.inf, False
        for step in range(1, self.max_iter + 1):
            self.n_iter = step
            if self.progress is not None:
                self.progress.begin_step()
            with np.errstate(divide="ignore", invalid="ignore"):
                self.mixture = self._maximise(moments)
                moments, self.lower_bound = self._expect(self.mixture, self.rows)
            if not np.isfinite(self.lower_bound):
                raise np.linalg.LinAlgError("a variance is zero")
            self.converged = abs(self.lower_bound - last) < self.model.tol
            stop = self.progress is not None and self.progress.end_step(
                step, f"{n_components} components", self.lower_bound, np.nan
            )
            if self.converged or stop or is_over():
                break
            last = self.lower_bound
        return self

    def score(self, rows: Rows) -> float:
        """Return the mean log-density of other rows under the mixture, in nats."""
        return self._expect(self.mixture, draw_in(rows, _FARTHEST))[1]

    # ------------------------------------------------------------------ steps

    def _expect(self, mixture: Mixture, rows: Rows) -> tuple[NDArray, float]:
        """Return the moments of rows under a mixture, and the mean log-density."""
        coefficients = self.type.coefficients(*mixture)
        moments, total = rows.sum(
            _moments, self.type, coefficients, mixture.covariances
        )
        return moments, total / float(moments[:, 0].sum())

    def _maximise(self, moments: NDArray) -> Mixture:
        """Return the mixture of these moments."""
        n_moving = len(moments) - self.background
        alive = moments[:n_moving, 0] > _DEAD * (self.rows.total / len(self.rows))
        if not alive.any():
            # The background has all the rows: one component begins anew with them.
            moments = _with_background(moments.sum(axis=0, keepdims=True))
            n_moving, alive, self._prior = 1, np.ones(1, bool), None
        moving = moments[:n_moving][alive]
        counts, sums = moving[:, 0], moving[:, 1 : self.rows.n_features + 1]
        means, covariances = sums / counts[:, None], self._estimate(moving, alive)
        if not self.background:
            return Mixture(counts / counts.sum(), means, covariances)
        total, rest = moments[:, 0].sum() + self._far, moments[-1, 0] + self._far
        share = max(rest / total, _BACKGROUND_WEIGHT)
        return Mixture(
            np.r_[counts / counts.sum() * (1.0 - share), share],
            np.r_[means, np.zeros((1, means.shape[1]))],
            np.r_[covariances, self.wide],
        )

    def _estimate(self, moments: NDArray, alive: NDArray) -> NDArray:
        """Return the covariances of components."""
        scatter, counts = self.type.scatter(moments), moments[:, 0]
        if not self.type.is_own:
            return scatter / counts.sum() + self._ridge
        prior = self._prior
        if prior is None or self.n_iter <= _N_PRIOR_STEPS:
            known = self.model.degrees_of_freedom_prior
            prior = self.type.learn_prior(scatter, counts, known, self._ridge)
        elif not alive.all():
            prior = prior._replace(size=prior.size[alive])
        self._prior = prior
        return prior.estimate(scatter, counts) + self._ridge


def _moments(
    rows: Rows, type_: Full, parameters: NDArray, covariances: NDArray | None = None
) -> tuple[NDArray, float]:
    """Return the sums of features, weighted by what each component gets of a row.

    Parameters
    ----------
    rows : Rows
        Rows in standard units.
    type_ : Full
        Covariance type.
    parameters : ndarray of shape (n_components, ...)
        Coefficients of the features, by which each row is shared out; or centers, to
        the nearest of which it goes as a whole.
    covariances : ndarray or None
        Those that belong to the coefficients; None with centers.

    Returns
    -------
    moments : ndarray of shape (n_components, n_features)
    total : float
        Sum of the log-densities, in nats; 0 with centers.
    """
    X, weights = rows.values, rows.weights
    n_features = 1 + X.shape[1] + type_.n_products
    n_rows = max(256, _BLOCK_SIZE // (len(parameters) + n_features))
    moments, total = np.zeros((len(parameters), n_features)), 0.0
    for block in gen_batches(len(X), n_rows):
        columns, weight = np.ascontiguousarray(X[block].T), weights[block]
        features = type_.features(columns)
        if covariances is None:
            nearest = _nearest(_round(columns), parameters)
            is_mine = nearest == np.arange(len(parameters))[:, None]
            share = np.where(is_mine, weight, 0.0)
        else:
            share = parameters @ features
            log_density = _share_out(share, weight)
            log_density += type_.offset(columns, covariances)
            total += float(weight @ log_density)
        moments += share @ features.T
    return moments, total


def _with_background(moments: NDArray) -> NDArray:
    """Return moments of components, and of a background that begins with little."""
    # The components share each row out, so that together they have the moments of all.
    everything = moments.sum(axis=0, keepdims=True)
    return np.r_[moments, _BACKGROUND_WEIGHT * everything]


def draw_in(rows: Rows, distance: NDArray | float) -> Rows:
    """Return rows none of which is farther out than this in any feature."""
    if (np.abs(rows.values) <= distance).all():
        return rows
    return replace(rows, values=np.clip(rows.values, -distance, distance))


def _share_out(logs: NDArray, weight: NDArray) -> NDArray:
    """Turn logarithms of densities into shares of the weights; return log of sums."""
    largest = logs.max(axis=0)
    logs -= largest
    np.maximum(logs, _LOWEST, out=logs)
    np.exp(logs, out=logs)
    sums = logs.sum(axis=0)
    logs *= weight / sums
    return largest + np.log(sums)


def _round(values: NDArray) -> NDArray:
    """Return values without their last digits, which depend on the unit of a column.

    On a lattice these would decide which of two centers is nearer.
    """
    return np.round(values, 9)


def _nearest(columns: NDArray, centers: NDArray) -> NDArray:
    """Return the index of the center that is nearest to each row."""
    labels = np.empty(columns.shape[1], dtype=np.intp)
    half = 0.5 * np.einsum("kj,kj->k", centers, centers)[:, None]
    for block in gen_batches(len(labels), max(256, _BLOCK_SIZE // len(centers))):
        labels[block] = np.argmax(centers @ columns[:, block] - half, axis=0)
    return labels
