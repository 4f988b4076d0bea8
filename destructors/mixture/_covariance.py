"""What the covariance types of a mixture are to EM, and the prior of covariances.

The log-density of a component is linear in features of a row: 1, the row itself, and
squares and products of its entries. A type says which of the latter it needs, how its
coefficients follow from the parameters, and what the moments of the features say of its
covariances. Shapes are scikit-learn's, but spherical variances are ``(n_components,
1)``, so that they broadcast as diagonal ones do.

The prior pulls the covariances towards one another. They are taken as draws from an
inverse Wishart distribution about ``s_k C``: one shape ``C`` for all components, in the
size ``s_k`` that the component itself has. The estimate is that from ``ν`` more rows of
this covariance. All three are learned from the components (empirical Bayes): the less
these differ beyond chance, the more rows the prior counts for. Components of many rows
hardly feel it; those of few borrow the directions that they cannot know.
"""

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from scipy.special import gammaln

from destructors._compat import check_array
from destructors.mixture._inverses import inverses, invert, log_det_of
from destructors.mixture._wide import MANY_COLUMNS
from destructors.rows import Rows

# Linear and quadratic coefficients of the features, and log-determinants.
_Coefficients = tuple[NDArray, NDArray, NDArray]
_LOG_2PI = np.log(2.0 * np.pi)
_LARGEST = np.finfo(float).max
# Strengths of a prior to choose from, in rows.
_STRENGTHS = np.geomspace(0.1, 1000.0, 25)
# They are looked for by steps of so many, the last near a strength that is known.
_STRIDES = (8, 4, 2, 1)
# Rows of the pooled covariance in the rough estimate that sizes are read from.
_N_ROUGH = 3.0
_N_ROUNDS = 3


class Prior(NamedTuple):
    """Inverse Wishart distributions of covariances.

    Attributes
    ----------
    strength : float
        Number of rows that the prior counts for.
    shape : ndarray
        Covariance about which all are drawn, up to size.
    size : ndarray of shape (n_components,)
        Factors of the shape.
    """

    strength: float
    shape: NDArray
    size: NDArray

    def estimate(self, scatter: NDArray, counts: NDArray) -> NDArray:
        """Return the posterior covariances."""
        rows = np.multiply.outer(self.strength * self.size, self.shape)
        return ((scatter + rows).T / (counts + self.strength)).T


class Full:
    """One covariance matrix for each component.

    Parameters
    ----------
    rows : Rows
        Training rows.
    """

    name = "full"
    # Whether each component has a covariance of its own.
    is_own = True
    # Whether it tells in which direction the component is longest.
    has_axes = True
    # Whether it has a shape besides its size.
    has_shape = True
    # Whether log-densities have a part that no feature tells, the same of all.
    has_offset = False
    # Whether its dimensions take degrees of freedom from one another.
    joint_dimensions = True

    def __init__(self, rows: Rows):
        d = self.n_features = rows.n_features
        # The features of a row, in which the log-density is linear, are one, its
        # columns, and products of each column with itself and so many after it.
        self.n_products = np.arange(d, 0, -1)
        self.products: tuple[NDArray, ...] = np.triu_indices(d)
        # Whether the products are so many that they had better not be written down.
        self.is_wide = d >= MANY_COLUMNS
        # The covariance whose variances are one.
        self.unit: NDArray | float = np.eye(d)

    # ------------------------------------------------------------------ densities

    def coefficients(
        self, weights: NDArray, means: NDArray, covariances: NDArray
    ) -> NDArray:
        """Return what to multiply the features by: log of weight times density."""
        linear, products, log_det = self._expand(means, covariances)
        square = np.einsum("ki,ki->k", means, linear)
        size = means.shape[1] * _LOG_2PI + log_det + square
        constant = np.log(weights) - 0.5 * size
        return np.concatenate([constant[:, None], linear, products], axis=1)

    def _expand(self, means: NDArray, covariances: NDArray) -> _Coefficients:
        precisions, log_det = invert(covariances)
        first, second = self.products
        products = -precisions[:, first, second]
        products[:, first == second] *= 0.5
        return np.einsum("kij,kj->ki", precisions, means), products, log_det

    def offset(self, columns: NDArray, covariances: NDArray) -> NDArray:
        """Return the part of the log-density that all components share."""
        return np.zeros(columns.shape[1])

    # ------------------------------------------------------------------ estimates

    def second_moment(self, rows: Rows) -> NDArray:
        """Return the sum of squares and products about zero, as one covariance."""
        return (rows.values.T @ (rows.values * rows.weights[:, None]))[None]

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares and products about the mean of each component."""
        counts, sums, products = self._parts(moments)
        first, second = self.products
        scatter = np.empty((len(moments), self.n_features, self.n_features))
        scatter[:, first, second] = scatter[:, second, first] = products
        return scatter - sums[:, :, None] * (sums / counts)[:, None, :]

    def _parts(self, moments: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Return counts, sums, and sums of products."""
        end = self.n_features + 1
        return moments[:, :1], moments[:, 1:end], moments[:, end:]

    def precisions(self, covariances: NDArray) -> NDArray:
        """Return inverses of covariances."""
        return inverses(covariances)

    def relative_trace(self, shape: NDArray, precisions: NDArray) -> NDArray:
        """Return the trace of ``shape`` in units of each covariance, per feature."""
        return np.einsum("kij,ij->k", precisions, shape) / self.n_features

    def log_det(self, covariances: NDArray) -> NDArray:
        """Return the logarithms of the determinants of covariances."""
        try:
            return log_det_of(np.linalg.cholesky(covariances))
        except np.linalg.LinAlgError:
            # What is no covariance but for rounding shall not end the fit.
            return np.linalg.slogdet(covariances)[1]

    def learn_prior(
        self,
        scatter: NDArray,
        counts: NDArray,
        strength: float | Literal["auto"],
        ridge: NDArray | float,
        last: Prior | None = None,
    ) -> Prior:
        """Return the prior that is learned from the components.

        Parameters
        ----------
        scatter : ndarray of shape (n_components, ...)
            Sums of squares and products about the means.
        counts : ndarray of shape (n_components,)
            Rows of each component.
        strength : float or "auto"
            Number of rows that the prior shall count for; "auto" to learn it.
        ridge : ndarray or float
            Added to the shape.
        last : Prior, default=None
            That of the step before, near which the strength is looked for.

        Returns
        -------
        prior : Prior
        """
        total, size = counts.sum(), np.ones(len(counts))
        shape = scatter.sum(axis=0) / total + ridge
        if self.has_shape:
            rough = Prior(_N_ROUGH, shape, size).estimate(scatter, counts) + ridge
            precisions = self.precisions(rough)
            for _ in range(_N_ROUNDS):
                # The harmonic mean of the variances relative to the shape.
                size = 1.0 / self.relative_trace(shape, precisions)
                size /= np.exp((np.log(size) * counts).sum() / total)
                shape = (scatter.T / size).T.sum(axis=0) / total + ridge
        if strength == "auto":
            start = None if last is None else last.strength
            sized = (scatter.T / size).T
            strength = self._most_likely(sized, shape, counts, start)
        return Prior(strength, shape, size)

    def _most_likely(
        self, scatter: NDArray, shape: NDArray, counts: NDArray, start: float | None
    ) -> float:
        """Return the strength under which scatter matrices are most likely: more so
        than under those beside it, and near the start, if there is one.
        """
        known = counts > 2.0
        of_shape = self.log_det(shape[None])[0]
        evidence = cache(
            lambda i: self._evidence(
                float(_STRENGTHS[i]),
                scatter[known],
                shape,
                of_shape,
                counts[known] - 1.0,
            )
        )
        last = len(_STRENGTHS) - 1
        best = last // 2 if start is None else int(np.searchsorted(_STRENGTHS, start))
        for stride in _STRIDES if start is None else _STRIDES[-1:]:
            here = -1
            while best != here:
                here = best
                beside = max(here - stride, 0), min(here + stride, last)
                best = max((here, *beside), key=evidence)
        return float(_STRENGTHS[best])

    def _evidence(
        self,
        strength: float,
        scatter: NDArray,
        shape: NDArray,
        of_shape: float,
        counts: NDArray,
    ) -> float:
        """Return the log-evidence of a strength, up to what all have in common."""
        d = shape.shape[-1]
        # Each dimension of a Wishart distribution takes one degree of freedom away.
        lost = np.arange(d) if self.joint_dimensions else np.zeros(d)
        free = strength + (d + 1.0 if self.joint_dimensions else 2.0)
        more = free + counts
        evidence = gammaln(0.5 * (more[:, None] - lost)).sum()
        evidence -= len(counts) * gammaln(0.5 * (free - lost)).sum()
        evidence += 0.5 * len(counts) * free * d * np.log(strength)
        volumes = self.log_det(scatter + strength * shape) - of_shape
        return float(evidence - 0.5 * (more @ volumes))

    # ------------------------------------------------------------------ results

    def narrow(self, covariances: NDArray, which: NDArray, shift: NDArray) -> NDArray:
        """Return covariances of components, some of which are split.

        Parameters
        ----------
        covariances : ndarray
            Those before.
        which : ndarray of int of shape (n_split,)
            Components that are split.
        shift : ndarray of shape (n_split, n_features)
            How far the mean of each half is from where the mean was.

        Returns
        -------
        covariances : ndarray
            Without the variance that the means of the halves have now.
        """
        covariances = covariances.copy()
        covariances[which] -= shift[:, :, None] * shift[:, None, :]
        return covariances

    def rescale(self, covariances: NDArray, scale: NDArray) -> NDArray:
        """Return covariances in other units, in the shape that scikit-learn has.

        What is out of the range of float64 becomes its largest number.
        """
        return _scale_twice(covariances, scale[:, None], scale)


class Diagonal(Full):
    """One variance for each component and feature."""

    name = "diag"
    joint_dimensions = False

    def __init__(self, rows: Rows):
        self.n_features = rows.n_features
        self.n_products = np.ones(self.n_features, int)
        self.products = np.diag_indices(self.n_features)
        self.is_wide, self.unit = False, 1.0

    def _expand(self, means: NDArray, covariances: NDArray) -> _Coefficients:
        variances = covariances + np.zeros_like(means)
        return means / variances, -0.5 / variances, np.log(variances).sum(axis=1)

    def second_moment(self, rows: Rows) -> NDArray:
        """Return the sum of squares about zero of each feature, as one component's."""
        return (rows.weights @ rows.values**2)[None]

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares about the mean of each component and feature."""
        counts, sums, squares = self._parts(moments)
        return squares - sums * (sums / counts)

    def precisions(self, covariances: NDArray) -> NDArray:
        """Return inverses of variances."""
        return 1.0 / covariances

    def relative_trace(self, shape: NDArray, precisions: NDArray) -> NDArray:
        """Return the mean of ``shape`` in units of each component's variances."""
        return (shape * precisions).mean(axis=1)

    def log_det(self, covariances: NDArray) -> NDArray:
        """Return the logarithms of the products of variances."""
        return np.log(covariances).sum(axis=-1)

    def narrow(self, covariances: NDArray, which: NDArray, shift: NDArray) -> NDArray:
        """Return variances of components, some of which are split; see `Full`."""
        covariances = covariances.copy()
        covariances[which] -= shift**2
        return covariances

    def rescale(self, covariances: NDArray, scale: NDArray) -> NDArray:
        """Return variances in other units; see `Full.rescale`."""
        return _scale_twice(covariances, scale, scale)


class Spherical(Diagonal):
    """One variance for each component."""

    name = "spherical"
    has_shape = False
    has_axes = False

    def second_moment(self, rows: Rows) -> NDArray:
        """Return the sum of squares about zero, per feature."""
        return super().second_moment(rows).mean(axis=1, keepdims=True)

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares about the mean of each component, per feature."""
        return super().scatter(moments).mean(axis=1, keepdims=True)

    def narrow(self, covariances: NDArray, which: NDArray, shift: NDArray) -> NDArray:
        """Return variances of components, some of which are split; see `Full`."""
        covariances = covariances.copy()
        covariances[which] -= (shift**2).mean(axis=1, keepdims=True)
        return covariances

    def rescale(self, covariances: NDArray, scale: NDArray) -> NDArray:
        """Return variances in other units, the same for all features."""
        return _scale_twice(covariances[:, 0], scale[0], scale[0])


class Tied(Full):
    """One covariance matrix that all components share.

    Its squares and products cancel when components are compared, so that none are among
    the features; their sum over the training rows is the same in every step.
    """

    name = "tied"
    has_offset = True
    is_own = False
    has_axes = False

    def __init__(self, rows: Rows):
        super().__init__(rows)
        self.n_products = np.zeros(self.n_features, int)
        self.products, self.is_wide = np.diag_indices(0), False
        [self._second_moment] = rows.sum(self.second_moment)

    def _expand(self, means: NDArray, covariances: NDArray) -> _Coefficients:
        precision, log_det = invert(covariances)
        return means @ precision, np.empty((len(means), 0)), log_det

    def offset(self, columns: NDArray, covariances: NDArray) -> NDArray:
        """Return the part of the log-density that all components share."""
        root = np.linalg.cholesky(covariances)
        white = solve_triangular(root, columns, lower=True)
        return -0.5 * np.einsum("ij,ij->j", white, white)

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares and products about the means, of all components."""
        counts, sums = moments[:, :1], moments[:, 1:]
        return self._second_moment - sums.T @ (sums / counts)

    def narrow(self, covariances: NDArray, which: NDArray, shift: NDArray) -> NDArray:
        """Return the covariance that all share: the next step will learn it."""
        return covariances


def _scale_twice(covariances: NDArray, first: NDArray, second: NDArray) -> NDArray:
    # One after the other: the square of a scale may be out of range where this is not.
    with np.errstate(over="ignore"):
        scaled = covariances * first * second
    return np.clip(scaled, -_LARGEST, _LARGEST)


COVARIANCES = {"full": Full, "tied": Tied, "diag": Diagonal, "spherical": Spherical}


def as_matrices(covariance_type: str, covariances: NDArray, means: NDArray) -> NDArray:
    """Return one matrix a component, whatever the type of the covariances."""
    k, d = means.shape
    if covariance_type in ("diag", "spherical"):
        covariances = covariances.reshape(k, -1, 1) * np.eye(d)
    return np.broadcast_to(covariances, (k, d, d))


def check_mixture(
    weights: ArrayLike, means: ArrayLike, covariances: ArrayLike, covariance_type: str
) -> tuple[NDArray, NDArray, NDArray]:
    """Return the parameters of a mixture, with covariances as full ones.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
        Positive weights, of sum one.
    means : array-like of shape (n_components, n_features)
        Means of the components.
    covariances : array-like
        Covariances, of the shape that scikit-learn gives them for the type.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Type of the covariances.

    Returns
    -------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    full : ndarray of shape (n_components, n_features, n_features)
        One positive definite matrix a component.

    Raises
    ------
    ValueError
        If shapes do not fit, weights are not positive or not of sum one, or a
        covariance is not symmetric and positive definite.
    """
    mu: NDArray = check_array(means, dtype=np.float64, input_name="means")
    pi, given = np.asarray(weights, np.float64), np.asarray(covariances, np.float64)
    k, d = mu.shape
    if pi.shape != (k,) or not (pi > 0).all() or not np.isclose(pi.sum(), 1.0):
        raise ValueError(f"weights, of shape ({k},), must be positive and sum to 1.")
    shapes = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
    if given.shape != (shape := shapes[covariance_type]):
        raise ValueError(
            f"{covariance_type!r} covariances must have the shape {shape}, got "
            f"{given.shape}."
        )
    full = as_matrices(covariance_type, given, mu)
    symmetric = np.allclose(full, np.swapaxes(full, 1, 2), rtol=1e-6, atol=0.0)
    if not symmetric or not (np.linalg.eigvalsh(full) > 0).all():
        raise ValueError("covariances must be symmetric and positive definite.")
    return pi, mu, full
