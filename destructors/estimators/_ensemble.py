"""Four densities of a table, from no dependence to all: the default for outliers."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from destructors.base._some_rows import fit_some_rows
from destructors.base_distributions import StandardNormal
from destructors.flows import GaussianCopula
from destructors.maps import Affine, Chain, Density, Rosenblatt
from destructors.maps._kernel_density import KernelDensity
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Rows, robust_mean_and_scale
from destructors.table import check_range

# Standard deviation of the noise, in units of the bulk of a column: what it is, or the
# most that it is if rows are known to be normal.
NOISE = 0.2
# So many values of a column that differ are what the noise blurs then, and no more.
_N_VALUES = 10
# Distance between quartiles of a normal, in standard deviations; quartiles that are
# nearer than this share of the standard deviation are one value.
_QUARTILES, _ONE_VALUE = 1.349, 1e-3
# Noisy copies of a row of weight one, and of any at most.
_N_COPIES, _MOST_COPIES = 2, 64
# Kernels are as wide as the distance to this neighbour, in each column. Five is what
# neighbours are usually counted to; 20 did no better.
_N_NEIGHBORS = 5
# Rows that have a kernel. Of rows that are known to be normal more did better; where
# some may be outliers, fewer: the kernels are wider then than a group of them.
_MOST_CENTRES, _MOST_NORMAL_CENTRES = 300, 2000
# Weights of marginals, copula, mixture and kernels: the same, or, of rows that are
# known to be normal, the more, the finer is what they tell apart.
_WEIGHTS, _NORMAL_WEIGHTS = (1.0, 1.0, 1.0, 1.0), (0.5, 0.5, 1.0, 1.5)
# No kernel is narrower than this share of the median width; where most rows repeat, not
# than this, in units of the columns.
_NARROWEST, _LEAST_WIDTH = 0.1, 1e-3
# Kernels of lighter tails are so many times as wide; 1, 1.4 and 2.8 did no better.
# Distances along a direction are measured by no smaller share of the mean variance.
_REACH, _LEAST_SPREAD = 2.0, 1e-3
# What other columns leave of one is no narrower than this share of its spread.
_LEAST_ROOT = 1e-9
# Centres are no farther out than this: squares of it can be added up.
_FARTHEST = 1e100


class DensityEnsemble(BaseEstimator):
    """Marginals, a Gaussian copula, a mixture of normals, and a kernel at each row.

    Each sees another dependence among columns: none, one of ranks, groups, and
    whatever the nearest rows show. What an outlier is unlike is not known, so each
    counts. The fewer the parameters, the less do outliers among the training rows move
    a density; the more, the finer is what it tells apart.

    The first three are densities of rows with noise: a value that repeats is no spike
    then, and counts as much as values that are as dense. Of a mixture that density is
    known; the others are fitted to noisy rows.

    Where outliers may be among the rows, all is coarse, so that a few of them that lie
    together are not learned: noise is a fifth of the width of each column, and kernels
    are few and of one width. Rows that are known to be normal are learned as finely as
    they can be: noise blurs some ten values of a column, and at most as much; kernels
    are many, each as wide as its neighbours are far and with tails that fall twice as
    fast, so that rows are far or near by the measure of what is around them; and
    distances are longer across a relation between columns than along it.

    Which densities, their weights, the noise, and width, tails and metric of the
    kernels were compared by area under ROC and mean rank on 51 tasks from tables of UCI
    and KEEL and of handwritten digits, with 70 to 2,000 training rows and 2 to 62
    columns, fitted on normal rows and on all: tails, metric and their weight in three
    splits. None is among the sets that the benchmark reports.

    Parameters
    ----------
    novelty : bool, default=False
        Whether the rows in `fit` are known to be normal.
    random_state : int, default=None
        Seed of the noise, of the mixture, and of which rows have a kernel.

    Attributes
    ----------
    densities_ : tuple of (Density or KernelDensity)
    weights_ : ndarray of shape (n_densities,)
        Weight of each, once their log densities have one spread.
    """

    def __init__(self, *, novelty: bool = False, random_state: int | None = None):
        self.novelty = novelty
        self.random_state = random_state

    def fit(
        self,
        X: NDArray,
        *,
        sample_weight: NDArray | None = None,
        whole: Rows | None = None,
    ) -> Self:
        """Fit all four; to some rows of a whole table, if that is given."""
        rows = Rows.of(X, sample_weight)
        whole = rows if whole is None else whole
        rows = rows.with_unit_of(whole)
        check_range(rows)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        noise = size_noise(rows) if self.novelty else NOISE * widths(rows)
        n_centres = _MOST_NORMAL_CENTRES if self.novelty else _MOST_CENTRES
        noisy, weight = add_noise(rows, noise, seed)
        mixture = GaussianMixtureDestructor(random_state=self.random_state)
        fit_some_rows(mixture, X, sample_weight, whole)
        within = None
        if self.novelty:
            covariances = scale_covariances(mixture, robust_mean_and_scale(rows)[1])
            within = np.einsum("k,kij->ij", mixture.weights_, covariances)
        self.densities_: tuple[Density | KernelDensity, ...] = (
            SplineGaussianizer().fit(noisy, sample_weight=weight).to_density(),
            GaussianCopula().fit(noisy, sample_weight=weight).to_density(),
            smooth(mixture, rows, noise),
            fit_kernels(rows, n_centres, seed, within),
        )
        self.weights_ = np.array(_NORMAL_WEIGHTS if self.novelty else _WEIGHTS)
        return self


def add_noise(rows: Rows, noise: NDArray, seed: int) -> tuple[NDArray, NDArray]:
    """Return copies of rows with noise, and their weights, which add up as before.

    Parameters
    ----------
    rows : Rows
        Weights are repeats: of a row that repeats there are more copies.
    noise : ndarray of shape (n_features,)
        Standard deviation of the noise in each column.
    seed : int
        Seed of the noise.

    Returns
    -------
    noisy : ndarray of shape (n_copies, n_features)
    weight : ndarray of shape (n_copies,)
    """
    values, weight, _ = rows.unique()
    n_copies = np.clip(np.ceil(_N_COPIES * weight), 1, _MOST_COPIES).astype(int)
    noisy = np.repeat(values, n_copies, axis=0)
    normal = np.random.RandomState(seed).normal(size=noisy.shape)
    return noisy + noise * normal, np.repeat(weight / n_copies, n_copies)


def size_noise(rows: Rows) -> NDArray:
    """Return the standard deviation of the noise of each column.

    It is half the distance that ten values span which differ, by the median over rows,
    and a fifth of the width of the column at most: where values are as good as
    continuous there is next to none, and where they are few it blurs them.
    """
    most = NOISE * widths(rows)
    found = np.empty(rows.n_features)
    for j, column in enumerate(rows.values.T):
        values, place = np.unique(column, return_inverse=True)
        n = len(values)
        if n <= _N_VALUES:
            found[j] = np.inf
            continue
        first = np.clip(np.arange(n) - _N_VALUES // 2, 0, n - 1 - _N_VALUES)
        with np.errstate(over="ignore"):
            span = values[first + _N_VALUES] - values[first]
        found[j] = 0.5 * np.quantile(
            span[place], 0.5, method="inverted_cdf", weights=rows.weights
        )
    return np.minimum(most, found)


def widths(rows: Rows) -> NDArray:
    """Return how wide the bulk of each column is, in standard deviations of a normal.

    It is the smaller of standard deviation and distance between quartiles (B. W.
    Silverman, *Density estimation for statistics and data analysis*, 1986, equation
    3.31): of skewed columns most of the first is tail, and noise of that size would
    blur all the rest. Where quartiles are one value, it is the first.
    """
    _, scale, _ = robust_mean_and_scale(rows)
    low, high = np.quantile(
        rows.values, (0.25, 0.75), axis=0, method="inverted_cdf", weights=rows.weights
    )
    with np.errstate(over="ignore"):
        bulk = (high - low) / _QUARTILES
    return np.where(bulk > _ONE_VALUE * scale, np.minimum(bulk, scale), scale)


def smooth(mixture: GaussianMixtureDestructor, rows: Rows, noise: NDArray) -> Density:
    """Return the density that rows of a mixture have with noise.

    Parameters
    ----------
    mixture : GaussianMixtureDestructor
        A fitted one.
    rows : Rows
        What it was fitted to.
    noise : ndarray of shape (n_features,)
        Standard deviation of the noise in each column.

    Returns
    -------
    density : Density
    """
    center, scale, _ = robust_mean_and_scale(rows)
    d, covariances = rows.n_features, scale_covariances(mixture, scale)
    noisy = Rosenblatt(
        mixture.weights_,
        (mixture.means_ - center) / scale,
        _factor(covariances, noise / scale),
    )
    return Density(Chain((Affine(center, scale), noisy)), StandardNormal(d), d)


def scale_covariances(mixture: GaussianMixtureDestructor, scale: NDArray) -> NDArray:
    """Return the covariances of a mixture in units of the columns, as it was fitted."""
    return mixture.covariances_ / scale[:, None] / scale


def _factor(covariances: NDArray, noise: NDArray) -> NDArray:
    """Return lower Cholesky factors of covariances with noise on each column.

    They come from square roots beside each other, by an orthogonal turn: nothing is
    squared, so that noise that is small beside a covariance is not lost.
    """
    spread, turn = np.linalg.eigh(covariances)
    roots = np.sqrt(np.maximum(spread, 0.0))[:, :, None] * np.swapaxes(turn, 1, 2)
    beside = np.broadcast_to(np.diag(noise), roots.shape)
    upper = np.linalg.qr(np.concatenate([roots, beside], axis=1), mode="r")
    diagonal = np.diagonal(upper, axis1=1, axis2=2)
    factors = np.swapaxes(upper * np.where(diagonal < 0, -1.0, 1.0)[:, :, None], 1, 2)
    places = np.arange(len(noise))
    least = _LEAST_ROOT * np.linalg.norm(factors, axis=2)
    factors[:, places, places] = np.maximum(factors[:, places, places], least)
    return factors


def fit_kernels(
    rows: Rows, n_centres: int, seed: int, within: NDArray | None = None
) -> KernelDensity:
    """Return a density with a kernel at each of some rows.

    Parameters
    ----------
    rows : Rows
        Training rows; weights are repeats.
    n_centres : int
        Number of different rows that have a kernel, at most.
    seed : int
        Seed of which rows have a kernel, where these are many.
    within : ndarray of shape (n_features, n_features), default=None
        Covariance of rows within the groups that they form, in units of the columns'
        scales. With it, each kernel is as wide as its neighbours are far (L. Breiman,
        W. Meisel and E. Purcell, *Variable kernel estimates of multivariate densities*,
        Technometrics 19, 1977), and has d + 2 degrees of freedom, for which
        its tails fall twice as fast as those of Cauchy densities; distances are by the
        geometric mean of two metrics, that of the columns' units and that of
        Mahalanobis. None: all are Cauchy densities as wide as the median of that, in
        the columns' units.

    Returns
    -------
    density : KernelDensity
    """
    center, scale, _ = robust_mean_and_scale(rows)
    d = rows.n_features
    units = Affine(center, scale)
    if within is not None:
        units = Affine(center, scale, *_half_whiten(within))
    drawn = rows.take(rows.draw(n_centres, seed))
    values, weights, _ = drawn.unique()
    centres = np.clip(units.forward(values)[0], -_FARTHEST, _FARTHEST)
    reach = _distance_to_neighbor(centres, weights) / np.sqrt(d)
    middle = np.quantile(reach, 0.5, method="inverted_cdf", weights=weights)
    width = max(float(middle), _LEAST_WIDTH)
    shares = weights / weights.sum()
    # Beside weights of 1e200, those of 1e-200 are nothing.
    centres, reach, shares = (of[shares > 0.0] for of in (centres, reach, shares))
    if within is None:
        return KernelDensity(units, centres, shares, np.full(len(reach), width))
    widths = _REACH * np.maximum(reach, _NARROWEST * width)
    return KernelDensity(units, centres, shares, widths, d + 2)


def _half_whiten(covariance: NDArray) -> tuple[NDArray, NDArray, float]:
    """Return the inverse fourth root of a covariance, the fourth root itself, and the
    log determinant of the first.

    Squares of distances after it are by the metric that is half way between the
    identity and the inverse of the covariance.
    """
    spread, turn = np.linalg.eigh(covariance)
    spread = np.maximum(spread, _LEAST_SPREAD * max(spread.mean(), _LEAST_SPREAD))
    roots = spread**0.25
    return (turn / roots) @ turn.T, (turn * roots) @ turn.T, -np.log(roots).sum()


def _distance_to_neighbor(centres: NDArray, weights: NDArray) -> NDArray:
    """Return how far from each centre there are so many rows, by their weights.

    A row is no neighbour of itself, but its repeats are.
    """
    wanted = 1.0 + _N_NEIGHBORS
    # So many centres weigh enough, even if they are the lightest.
    enough = int((np.cumsum(np.sort(weights)) < wanted).sum())
    last = min(enough, len(centres) - 1)
    distances = cdist(centres, centres)
    near = np.argpartition(distances, last, axis=1)[:, : last + 1]
    distances = np.take_along_axis(distances, near, axis=1)
    order = np.argsort(distances, axis=1)
    mass = np.cumsum(weights[np.take_along_axis(near, order, axis=1)], axis=1)
    place = np.minimum((mass < wanted).sum(axis=1), last)[:, None]
    return np.take_along_axis(np.take_along_axis(distances, order, 1), place, 1)[:, 0]
