"""Means and covariances."""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from destructors._compat import Interval
from destructors.alignment import _domains
from destructors.alignment._barycenter import BarycenterDestructor
from destructors.alignment._queries import may_leave
from destructors.alignment._summaries import sum_squares
from destructors.maps import Map, Stretch, Switch
from destructors.rows import Rows
from destructors.rows._moments import sum_values, weigh

# The maps stretch and squeeze by no more than this: rows of a domain that is constant
# in a direction come back to full precision.
_STEEPEST = 30.0
# A variance below this share of that of its feature is a rounding error.
_RIDGE = 1e-12
# Below this share of the largest variance eigenvalues are rounding.
_SMALLEST = 1e-14
_ROUNDING = 1e-14
# Less is the rounding of a constant far smaller than another column.
_NONE = 1e-150
_MAX_ITER, _TOLERANCE = 100, 1e-10


class GaussianBarycenter(BarycenterDestructor):
    r"""Bring means and covariances of the domains together.

    Between normal distributions optimal transport is linear: with the covariance
    :math:`\bar\Sigma` and the mean :math:`\bar m` of their barycenter,

    .. math:: z = \bar m + A (x - m), \qquad
        A = \Sigma^{-1/2} (\Sigma^{1/2} \bar\Sigma \Sigma^{1/2})^{1/2} \Sigma^{-1/2}.

    Applied to any data, it makes means and covariances of the domains equal.

    Parameters
    ----------
    n_components : int, default=200
        Covariances are aligned within the span of so many leading principal axes of all
        rows. Beyond it rows are only shifted.
    domain_weights : str, dict or array-like, default="uniform"
        Share of each domain in the barycenter, as in `MarginalBarycenter`.
    learning_rate : float or "auto", default="auto"
        Share of the way to the barycenter to go, as in `MarginalBarycenter`.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.

    Attributes
    ----------
    means_ : ndarray of shape (n_domains, n_features)
        Mean of each domain.
    barycenter_mean_ : ndarray of shape (n_features,)
        Mean of the barycenter.
    learning_rate_ : float
        Share of the way to the barycenter that the maps go.
    domains_ : ndarray of shape (n_domains,)
        Labels of the domains.
    domain_weights_ : ndarray of shape (n_domains,)
        Share of each in the barycenter.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    References
    ----------
    P. C. Álvarez-Esteban, E. del Barrio, J. A. Cuesta-Albertos and C. Matrán, *A
    fixed-point approach to barycenters in Wasserstein space*, Journal of Mathematical
    Analysis and Applications 441, 2016, theorem 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.alignment import GaussianBarycenter
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (500, 2)), rng.normal(4, 3, (500, 2))]
    >>> domain = np.repeat([0, 1], 500)
    >>> layer = GaussianBarycenter(random_state=0).fit(X, sample_domain=domain)
    >>> Z = layer.transform(X, sample_domain=domain)
    >>> [round(float(part.std()), 1) for part in (Z[:500], Z[500:])]
    [2.0, 2.0]
    """

    _parameter_constraints: ClassVar[dict] = {
        **BarycenterDestructor._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_components: int = 200,
        domain_weights: str | Mapping | ArrayLike = "uniform",
        learning_rate: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_components = n_components
        self.domain_weights = domain_weights
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit_barycenter(
        self, parts: list[Rows], random_state: np.random.RandomState
    ) -> Callable[[float], Map]:
        parts, unit = _domains.in_one_unit(parts)
        means = np.stack([part.sum(sum_values) / part.total for part in parts])
        centre = self.domain_weights_ @ means
        basis = _domains.principal_basis(parts, self.n_components, random_state)
        covariances = [
            part.sum(second_moments, mean, basis) / part.total
            for part, mean in zip(parts, means, strict=True)
        ]
        _check_spread(parts, means, unit)
        # The same for all: a constant feature goes from domain to domain as it is.
        positive = np.stack(covariances) + _ridge(np.stack(covariances))
        target = barycenter_covariance(positive, self.domain_weights_)
        maps = [_map_to(target, one) for one in positive]
        if basis is not None:
            maps = [(values, basis @ axes) for values, axes in maps]
        moves = unit * (centre - means)
        means = self.means_ = unit * means
        self.barycenter_mean_ = unit * centre
        # The eigenvalues of a mean with the identity are such means.
        return lambda share: Switch(
            tuple(
                Stretch(axes, 1.0 + share * (values - 1.0), mean, mean + share * move)
                for (values, axes), mean, move in zip(maps, means, moves, strict=True)
            )
        )


def _check_spread(parts: list[Rows], means: NDArray, unit: float) -> None:
    """Raise where a column varies by so little that covariances do not show it."""
    variances = np.max(
        [
            part.sum(sum_squares, mean) / part.total
            for part, mean in zip(parts, means, strict=True)
        ],
        axis=0,
    )
    # A rounding error, as that of an offset, is no spread.
    told = variances > (_ROUNDING * np.abs(means).max(axis=0)) ** 2
    lost = told & (variances < _SMALLEST * variances.max())
    if lost.any():
        raise _domains.loss_of_digits(parts[0], lost, unit * np.sqrt(variances))


@may_leave
def second_moments(block: Rows, mean: NDArray, basis: NDArray | None) -> NDArray:
    """Return second moments about a mean, within the span of some axes."""
    centred = block.values - mean
    if basis is not None:
        centred = centred @ basis
    return centred.T @ weigh(centred, block)


def barycenter_covariance(covariances: NDArray, weights: NDArray) -> NDArray:
    """Return the covariance of the barycenter of centred normal distributions.

    Parameters
    ----------
    covariances : ndarray of shape (n_domains, n_features, n_features)
        Covariance of each, positive definite.
    weights : ndarray of shape (n_domains,)
        Share of each; they sum to 1.

    Returns
    -------
    covariance : ndarray of shape (n_features, n_features)
        The fixed point that the mean of the maps to it leaves where it is.
    """
    present = np.flatnonzero(weights)
    if len(present) == 1:
        return covariances[present[0]]
    barycenter = np.einsum("k,kij->ij", weights, covariances)
    for _ in range(_MAX_ITER):
        root, inverse_root = _roots(barycenter)
        inner = sum(weights[k] * _root(root @ covariances[k] @ root) for k in present)
        step = inverse_root @ inner
        updated = step @ step.T
        change = np.abs(updated - barycenter).max()
        barycenter = 0.5 * (updated + updated.T)
        if change <= _TOLERANCE * np.abs(barycenter).max():
            break
    return barycenter


def _map_to(target: NDArray, covariance: NDArray) -> tuple[NDArray, NDArray]:
    """Return eigenvalues and axes of the optimal map from one to the other."""
    root, inverse_root = _roots(covariance)
    matrix = inverse_root @ _root(root @ target @ root) @ inverse_root
    values, axes = eigh(0.5 * (matrix + matrix.T))
    return np.clip(values, 1.0 / _STEEPEST, _STEEPEST), axes


def _ridge(covariances: NDArray) -> NDArray:
    """Return what keeps covariances of few rows or constant features positive."""
    largest = np.diagonal(covariances, axis1=1, axis2=2).max(axis=0)
    # Of a size with the others: next to larger ones it would be all that is seen.
    constant = largest.max() if largest.max() > _NONE else 1.0
    return np.diag(_RIDGE * np.where(largest > _NONE, largest, constant))


def _root(matrix: NDArray) -> NDArray:
    values, axes = eigh(0.5 * (matrix + matrix.T))
    return (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T


def _roots(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """Return the symmetric root and its inverse."""
    values, axes = eigh(matrix)
    roots = np.sqrt(np.maximum(values, np.finfo(float).eps * values.max()))
    return (axes * roots) @ axes.T, (axes / roots) @ axes.T
