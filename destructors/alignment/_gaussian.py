"""Means and covariances."""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, svd

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
        # The largest first: products of lower factors then have the digits of each.
        order = np.argsort(-np.einsum("kii->i", positive), kind="stable")
        positive = positive[:, order[:, None], order]
        factors = np.stack([_factor(one) for one in positive])
        target = barycenter_factor(factors, self.domain_weights_)
        back = np.argsort(order)
        maps = [_map_to(target, one) for one in factors]
        maps = [(values, axes[back]) for values, axes in maps]
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


def barycenter_factor(factors: NDArray, weights: NDArray) -> NDArray:
    """Return a factor of the covariance of the barycenter of centred normals.

    Covariances themselves, and products of them, have the squares of the scales of the
    columns: their roots would leave no digits of small ones.

    Parameters
    ----------
    factors : ndarray of shape (n_domains, n_features, n_features)
        A factor ``L`` of each covariance ``L Lᵀ``, which is positive definite.
    weights : ndarray of shape (n_domains,)
        Share of each; they sum to 1.

    Returns
    -------
    factor : ndarray of shape (n_features, n_features)
        That of the fixed point, which the mean of the maps to it leaves where it is.
    """
    present = np.flatnonzero(weights)
    if len(present) == 1:
        return factors[present[0]]
    factor = _factor(np.einsum("k,kij,klj->il", weights, factors, factors))
    before = factor @ factor.T
    for _ in range(_MAX_ITER):
        inner = sum(
            weights[k] * _root_of_square(factors[k].T @ factor) for k in present
        )
        factor = np.linalg.solve(factor.T, inner)
        now = factor @ factor.T
        scale = np.sqrt(np.diagonal(now))
        change = np.abs((now - before) / np.multiply.outer(scale, scale)).max()
        before = now
        if change <= _TOLERANCE:
            break
    return factor


def _map_to(target: NDArray, factor: NDArray) -> tuple[NDArray, NDArray]:
    """Return eigenvalues and axes of the optimal map from one normal to the other,
    given factors of their covariances.
    """
    half = np.linalg.solve(factor.T, _root_of_square(target.T @ factor))
    matrix = np.linalg.solve(factor.T, half.T)
    values, axes = eigh(0.5 * (matrix + matrix.T))
    return np.clip(values, 1.0 / _STEEPEST, _STEEPEST), axes


def _root_of_square(matrix: NDArray) -> NDArray:
    """Return the symmetric root of ``Mᵀ M``, without making that."""
    _, values, axes = svd(matrix)
    return (axes.T * values) @ axes


def _factor(covariance: NDArray) -> NDArray:
    """Return the Cholesky factor, taken of correlations."""
    scale = np.sqrt(np.diagonal(covariance))
    correlations = covariance / np.multiply.outer(scale, scale)
    return scale[:, None] * np.linalg.cholesky(correlations)


def _ridge(covariances: NDArray) -> NDArray:
    """Return what keeps covariances of few rows or constant features positive."""
    largest = np.diagonal(covariances, axis1=1, axis2=2).max(axis=0)
    # Of a size with the others: next to larger ones it would be all that is seen.
    constant = largest.max() if largest.max() > _NONE else 1.0
    # What rounding leaves of a constant is no spread.
    varies = largest > max(_NONE, np.finfo(float).eps * largest.max())
    return np.diag(_RIDGE * np.where(varies, largest, constant))
