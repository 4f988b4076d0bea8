"""What the covariance types of a mixture are to EM.

The log-density of a component is linear in features of a row: 1, the row itself, and
squares and products of its entries. A type says which of the latter it needs, how its
coefficients follow from the parameters, and what the moments of the features say of its
covariances. Shapes are scikit-learn's, but spherical variances are ``(n_components,
1)``, so that they broadcast as diagonal ones do.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from destructors.rows import Rows

_LOG_2PI = np.log(2.0 * np.pi)


class Full:
    """One covariance matrix for each component.

    Parameters
    ----------
    rows : Rows
        Training rows.
    """

    # Whether each component has a covariance of its own.
    is_own = True
    # Whether it has a shape besides its size.
    has_shape = True
    # Whether its dimensions take degrees of freedom from one another.
    joint_dimensions = True

    def __init__(self, rows: Rows):
        self.n_features = rows.n_features

    # ------------------------------------------------------------------ features

    @property
    def n_products(self) -> int:
        """Number of squares and products among the features."""
        return self.n_features * (self.n_features + 1) // 2

    def features(self, columns: NDArray) -> NDArray:
        """Return the features of rows, one feature a row of the result."""
        d = len(columns)
        features = np.empty((1 + d + self.n_products, columns.shape[1]))
        features[0] = 1.0
        features[1 : d + 1] = columns
        self._multiply(columns, features[d + 1 :])
        return features

    def _multiply(self, columns: NDArray, out: NDArray) -> None:
        start, d = 0, len(columns)
        for i in range(d):
            np.multiply(columns[i:], columns[i], out=out[start : start + d - i])
            start += d - i

    # ------------------------------------------------------------------ densities

    def coefficients(
        self, weights: NDArray, means: NDArray, covariances: NDArray
    ) -> NDArray:
        """Return what to multiply the features by: log of weight times density."""
        precisions, log_det = _invert(covariances)
        linear = np.einsum("kij,kj->ki", precisions, means)
        first, second = np.triu_indices(self.n_features)
        products = -precisions[:, first, second]
        products[:, first == second] *= 0.5
        return np.c_[_constant(weights, means, linear, log_det), linear, products]

    def offset(self, columns: NDArray, covariances: NDArray) -> NDArray | float:
        """Return the part of the log-density that all components share."""
        return 0.0

    # ------------------------------------------------------------------ estimates

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares and products about the mean of each component."""
        counts, sums, products = np.split(moments, [1, self.n_features + 1], axis=1)
        first, second = np.triu_indices(self.n_features)
        scatter = np.empty((len(moments), self.n_features, self.n_features))
        scatter[:, first, second] = scatter[:, second, first] = products
        return scatter - sums[:, :, None] * (sums / counts)[:, None, :]

    def expand(self, numbers: NDArray) -> NDArray:
        """Return numbers, one a component, in a shape to multiply covariances."""
        return numbers[:, None, None]

    def ridge(self, reg_covar: float) -> NDArray | float:
        """Return what adds ``reg_covar`` to each variance."""
        return reg_covar * np.eye(self.n_features)

    def relative_trace(self, shape: NDArray, covariances: NDArray) -> NDArray:
        """Return the trace of ``shape`` in units of each covariance, per feature."""
        precisions, _ = _invert(covariances)
        return np.einsum("kij,ij->k", precisions, shape) / self.n_features

    def relative_scatter(self, scatter: NDArray, shape: NDArray) -> NDArray:
        """Return eigenvalues of scatter matrices in units of a covariance."""
        root = np.linalg.cholesky(shape)
        inverse = solve_triangular(root, np.eye(len(root)), lower=True)
        return np.maximum(np.linalg.eigvalsh(inverse @ scatter @ inverse.T), 0.0)

    # ------------------------------------------------------------------ results

    def factors(self, covariances: NDArray, n_components: int) -> NDArray:
        """Return lower Cholesky factors, one matrix a component."""
        return np.linalg.cholesky(covariances)

    def rescale(self, covariances: NDArray, scale: NDArray) -> NDArray:
        """Return covariances in other units, in the shape that scikit-learn has."""
        return covariances * np.multiply.outer(scale, scale)


class Diagonal(Full):
    """One variance for each component and feature."""

    joint_dimensions = False

    @property
    def n_products(self) -> int:
        """Number of squares among the features."""
        return self.n_features

    def _multiply(self, columns: NDArray, out: NDArray) -> None:
        np.square(columns, out=out)

    def coefficients(
        self, weights: NDArray, means: NDArray, covariances: NDArray
    ) -> NDArray:
        """Return what to multiply the features by: log of weight times density."""
        variances = np.broadcast_to(covariances, means.shape)
        linear = means / variances
        log_det = np.log(variances).sum(axis=1)
        constant = _constant(weights, means, linear, log_det)
        return np.c_[constant, linear, -0.5 / variances]

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares about the mean of each component and feature."""
        counts, sums, squares = np.split(moments, [1, self.n_features + 1], axis=1)
        return squares - sums * (sums / counts)

    def expand(self, numbers: NDArray) -> NDArray:
        """Return numbers, one a component, in a shape to multiply variances."""
        return numbers[:, None]

    def ridge(self, reg_covar: float) -> NDArray | float:
        """Return what adds ``reg_covar`` to each variance."""
        return reg_covar

    def relative_trace(self, shape: NDArray, covariances: NDArray) -> NDArray:
        """Return the mean of ``shape`` in units of each component's variances."""
        return (shape / covariances).mean(axis=1)

    def relative_scatter(self, scatter: NDArray, shape: NDArray) -> NDArray:
        """Return sums of squares in units of variances."""
        return np.maximum(scatter / shape, 0.0)

    def factors(self, covariances: NDArray, n_components: int) -> NDArray:
        """Return lower Cholesky factors, one matrix a component."""
        shape = (n_components, self.n_features)
        deviations = np.sqrt(np.broadcast_to(covariances, shape))
        return deviations[:, :, None] * np.eye(self.n_features)

    def rescale(self, covariances: NDArray, scale: NDArray) -> NDArray:
        """Return variances in other units."""
        return covariances * scale**2


class Spherical(Diagonal):
    """One variance for each component."""

    has_shape = False

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares about the mean of each component, per feature."""
        return super().scatter(moments).mean(axis=1, keepdims=True)

    def rescale(self, covariances: NDArray, scale: NDArray) -> NDArray:
        """Return variances in other units, the same for all features."""
        return covariances[:, 0] * scale[0] ** 2


class Tied(Full):
    """One covariance matrix that all components share.

    Its squares and products cancel when components are compared, so that none are among
    the features; their sum over the training rows is the same in every step.
    """

    is_own = False

    def __init__(self, rows: Rows):
        super().__init__(rows)
        self._second_moment = rows.sum(_second_moment)

    @property
    def n_products(self) -> int:
        """Return 0: products cancel."""
        return 0

    def _multiply(self, columns: NDArray, out: NDArray) -> None:
        pass

    def coefficients(
        self, weights: NDArray, means: NDArray, covariances: NDArray
    ) -> NDArray:
        """Return what to multiply the features by: log of weight times density."""
        precision, log_det = _invert(covariances)
        linear = means @ precision
        return np.c_[_constant(weights, means, linear, log_det), linear]

    def offset(self, columns: NDArray, covariances: NDArray) -> NDArray | float:
        """Return the part of the log-density that all components share."""
        root = np.linalg.cholesky(covariances)
        white = solve_triangular(root, columns, lower=True)
        return -0.5 * np.einsum("ij,ij->j", white, white)

    def scatter(self, moments: NDArray) -> NDArray:
        """Return the sum of squares and products about the means, of all components."""
        counts, sums = moments[:, :1], moments[:, 1:]
        return self._second_moment - sums.T @ (sums / counts)

    def factors(self, covariances: NDArray, n_components: int) -> NDArray:
        """Return lower Cholesky factors, one matrix a component."""
        root = np.linalg.cholesky(covariances)
        return np.repeat(root[None], n_components, axis=0)


COVARIANCES: dict[str, type[Full]] = {
    "full": Full,
    "tied": Tied,
    "diag": Diagonal,
    "spherical": Spherical,
}


def _second_moment(rows: Rows) -> NDArray:
    return rows.values.T @ (rows.values * rows.weights[:, None])


def _invert(covariances: NDArray) -> tuple[NDArray, NDArray]:
    """Return inverses, exactly symmetric, and log-determinants.

    Raises
    ------
    LinAlgError
        If a covariance is not positive definite.
    """
    diagonal = np.diagonal(np.linalg.cholesky(covariances), axis1=-2, axis2=-1)
    inverses = np.linalg.inv(covariances)
    inverses = 0.5 * (inverses + np.swapaxes(inverses, -1, -2))
    return inverses, 2.0 * np.log(diagonal).sum(axis=-1)


def _constant(
    weights: NDArray, means: NDArray, linear: NDArray, log_det: NDArray
) -> NDArray:
    square = np.einsum("ki,ki->k", means, linear)
    return np.log(weights) - 0.5 * (means.shape[1] * _LOG_2PI + log_det + square)
