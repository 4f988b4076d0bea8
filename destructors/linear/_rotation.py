"""Rotations, which leave the volume as it is, and whitening followed by one."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import polar

from destructors._compat import Interval, check_array
from destructors.base import Destructor
from destructors.linear._whitening import (
    Whitening,
    among,
    principal_axes,
    quantile,
    spread_null,
    sum_products,
)
from destructors.maps import Affine, Chain, Map
from destructors.rows import Fold, Rows, is_over, mean_and_scale
from destructors.rows._errors import LostDigitsError
from destructors.rows._moments import power_of_two

# Largest entry of Q Qᵀ - I for which Q still counts as orthogonal.
_TOLERANCE = 1e-8
# Variance beside the largest that cannot be told from none.
_NULL = 1e-12
# Rounding error beside the scale of a column with which it does not count as lost.
_LOSS = 1e-5
# E[log cosh ν] for a standard normal ν: directions are as interesting as theirs is far
# from it.
NORMAL_CONTRAST = 0.37456721


class FixedRotation(Destructor):
    """Rotate features by a given orthogonal matrix.

    Nothing is learned; the log-determinant is zero. Wavelets, Fourier and Hadamard
    bases or a permutation of the features are such matrices.

    Parameters
    ----------
    rotation : array-like of shape (n_features, n_features), default=None
        Orthogonal matrix ``Q`` of the map ``z = Q x``. None leaves features as they
        are.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        The matrix.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if the matrix is not orthogonal or not as wide as the data.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import FixedRotation
    >>> swap = FixedRotation([[0.0, 1.0], [1.0, 0.0]])
    >>> swap.fit_transform([[1.0, 2.0], [3.0, 4.0]])
    array([[2., 1.],
           [4., 3.]])
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {"rotation": ["array-like", None]}

    def __init__(self, rotation: ArrayLike | None = None):
        self.rotation = rotation

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        d = fold.train.n_features
        rotation: NDArray = check_array(
            np.eye(d) if self.rotation is None else self.rotation,
            dtype=np.float64,
            input_name="rotation",
        )
        if rotation.shape != (d, d):
            raise ValueError(
                f"rotation must have shape ({d}, {d}), as X has {d} feature(s); got "
                f"{rotation.shape}."
            )
        error = np.abs(rotation @ rotation.T - np.eye(d)).max()
        if error > _TOLERANCE:
            raise ValueError(
                f"rotation is not orthogonal: the largest entry of |Q Qᵀ - I| is "
                f"{error:.2g}, not below {_TOLERANCE:g}."
            )
        self.rotation_ = rotation
        return rotate_safely(rotation, fold.train)


class RandomRotation(Destructor):
    """Rotate features by a random orthogonal matrix, uniform among all (Haar).

    Its log-determinant is zero, so on its own it gains nothing; between marginal layers
    it lets them see other directions. A constant feature stays by itself.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Pass an int for a reproducible rotation.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        Orthogonal matrix ``Q`` of the map ``z = Q x``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    References
    ----------
    V. Laparra, G. Camps-Valls and J. Malo, *Iterative Gaussianization: from ICA to
    random rotations*, IEEE Transactions on Neural Networks 22, 2011, section III.
    F. Mezzadri, *How to generate random matrices from the classical compact groups*,
    Notices of the AMS 54, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import RandomRotation
    >>> X = np.random.default_rng(0).normal(size=(10, 3))
    >>> Z = RandomRotation(random_state=0).fit_transform(X)
    >>> bool(np.allclose((X**2).sum(axis=1), (Z**2).sum(axis=1)))
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {"random_state": ["random_state"]}

    def __init__(self, *, random_state: int | np.random.RandomState | None = None):
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        varies = varying(fold.train)
        q, r = np.linalg.qr(random_state.standard_normal((len(varies), len(varies))))
        # QR alone is not uniform: its signs are those the algorithm prefers.
        rotation = q * np.sign(np.diag(r))
        self.rotation_ = among(varies, rotation, fold.train.n_features)
        return rotate_safely(self.rotation_, fold.train)


class PCARotation(Destructor):
    """Rotate features to their principal axes, largest variance first.

    Nothing is centred or scaled, so the log-determinant is zero. Among directions of
    equal variance, which are all as principal, chance in the sample decides: between
    marginal layers that is a rotation too. Directions without variance, as where a
    feature repeats another, are spread over the others; a constant feature stays by
    itself.

    Attributes
    ----------
    rotation_ : ndarray of shape (n_features, n_features)
        Orthogonal matrix ``Q`` of the map ``z = Q x``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    Whitening : Centres and scales as well.

    References
    ----------
    V. Laparra, G. Camps-Valls and J. Malo, *Iterative Gaussianization: from ICA to
    random rotations*, IEEE Transactions on Neural Networks 22, 2011, section III.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import PCARotation
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) @ [[1.0, 1.0], [0.0, 0.1]]
    >>> Z = PCARotation().fit_transform(X)
    >>> bool(abs(np.corrcoef(Z.T)[0, 1]) < 1e-10)
    True
    """

    _takes_stored = True

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        mean, scale, constant = mean_and_scale(rows)
        unit = power_of_two(scale[~constant].max(initial=0.0))
        varies, matrix = varying(rows), rows.sum(sum_products, mean, unit)
        values, axes = principal_axes(matrix[np.ix_(varies, varies)])
        rotation = spread_null(values <= _NULL * values[0]) @ axes.T
        self.rotation_ = among(varies, rotation, rows.n_features)
        return rotate_safely(self.rotation_, rows)


def varying(rows: Rows) -> NDArray:
    """Return the columns that are not constant, which a rotation turns; all if none is.

    A constant one, turned with others, leaves the rows in a plane; and later layers
    leave rounding of their own beside that, which grows.
    """
    smallest, largest = rows.extremes
    varies = smallest < largest
    return np.flatnonzero(varies | ~varies.any())


def rotate_safely(rotation: NDArray, rows: Rows) -> Affine:
    """Return a rotation as a map, if rows come back from it.

    Raises
    ------
    ValueError
        If the sums of columns of very different size forget the last digits of a small
        one, or are beyond the largest number; it is named.
    """
    check_sums(rows)
    smallest, largest = rows.extremes
    size, spread = np.maximum(largest, -smallest), largest - smallest
    if (_lost(rotation, size) > _LOSS * spread).any():
        # A few rows that are far from all others may lose digits.
        samples = rows.column_samples()
        size = np.array([quantile(np.abs(x), weight, 90.0) for x, weight in samples])
        _, scale, constant = mean_and_scale(rows)
        lost = (_lost(rotation, size) > _LOSS * scale) & ~constant
        if lost.any():
            small, large = (
                rows.name(np.flatnonzero(lost)[0]),
                rows.name(int(size.argmax())),
            )
            raise LostDigitsError(
                f"Column {small} is too small beside column {large} for its digits to "
                "outlast a rotation. Standardize the columns before."
            )
    return Affine.rotation(rotation)


def check_sums(rows: Rows) -> None:
    """Raise ValueError if sums of the columns are beyond the largest number."""
    smallest, largest = rows.extremes
    size = np.maximum(largest, -smallest)
    if size.max() > np.finfo(float).max / (4.0 * len(size)):
        raise ValueError(
            f"Column {rows.name(size.argmax())} reaches {size.max():.3g}: sums with "
            "other columns are beyond the largest float64. Divide it by a constant."
        )


def _lost(rotation: NDArray, size: NDArray) -> NDArray:
    """Return how far off each column comes back: by rounding, and since the matrix is
    orthogonal up to rounding only. What is only given another place, or sign, is
    rounded nowhere.
    """
    sums = np.count_nonzero(rotation, axis=1) > 1
    turned = np.finfo(float).eps * np.abs(rotation) * sums[:, np.newaxis]
    off = np.abs(rotation.T @ rotation - np.eye(len(size)))
    return off @ size + np.abs(rotation).T @ (turned @ size)


class ICAWhitening(Destructor):
    """Whiten features, then rotate them to independent components.

    The rotation is that of FastICA with the contrast ``log cosh``: it makes the
    components as non-normal as it can, so that a marginal after it has most to gain.
    As a density this is the Gaussian of the whitening.

    Parameters
    ----------
    max_iter : int, default=200
        Largest number of fixed-point steps.
    tol : float, default=1e-4
        The steps end when no direction turns further: one minus the cosine of the
        angle.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    components_ : ndarray of shape (n_features, n_features)
        The unmixing matrix of the map ``z = components_ (x - mean_)``; most non-normal
        component first.
    rotation_ : ndarray of shape (n_features, n_features)
        The orthogonal matrix that follows the principal components, scaled to unit
        variance.
    n_iter_ : int
        Number of steps taken.
    converged_ : bool
        Whether the steps came to rest.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    Whitening : Principal components, and other square roots.

    Notes
    -----
    The steps come to no rest where no direction stands out, as in data that are normal
    already. Any rotation is then as good, the least normal one met is kept, and there
    is no warning: `converged_` tells.

    The start is fixed, so the result is the same each time. Unlike
    :class:`sklearn.decomposition.FastICA` the steps take weights.

    References
    ----------
    A. Hyvärinen, *Fast and robust fixed-point algorithms for independent component
    analysis*, IEEE Transactions on Neural Networks 10, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import ICAWhitening
    >>> sources = np.random.default_rng(0).uniform(-1.0, 1.0, size=(2000, 2))
    >>> X = sources @ [[1.0, 0.5], [0.2, 1.0]]
    >>> Z = ICAWhitening().fit_transform(X)
    >>> np.abs(np.corrcoef(sources.T, Z.T)[:2, 2:]).max(axis=1).round(1)
    array([1., 1.])
    """

    _parameter_constraints: ClassVar[dict] = {
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, *, max_iter: int = 200, tol: float = 1e-4):
        self.max_iter = max_iter
        self.tol = tol

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        whitening = Whitening(shrinkage=0.0)
        whitening._fit_rows(Fold(rows))
        white = rows.through(whitening.map_)
        varies = varying(white)
        rotation = self._search(white.values[:, varies], rows.weights / rows.total)
        self.rotation_ = among(varies, rotation, rows.n_features)
        self.mean_ = whitening.mean_
        components = self.rotation_ @ whitening.components_
        largest = np.finfo(float).max * np.minimum(whitening.scale_, 1.0)
        # One over the smallest scales is beyond float64.
        self.components_ = np.clip(components, -largest, largest) / whitening.scale_
        return Chain((whitening.map_, Affine.rotation(self.rotation_)))

    def _search(self, white: NDArray, share: NDArray) -> NDArray:
        """Return the rotation to components; ``share`` are weights that sum to one."""
        d = white.shape[1]
        # A generic start: on one with symmetries of its own, such as the identity, the
        # steps can rest on a saddle.
        rotation, _ = polar(np.random.RandomState(0).standard_normal((d, d)))
        best, best_contrast = rotation, -np.inf
        for step in range(1, self.max_iter + 1):
            self.n_iter_ = step
            tanh = np.tanh(white @ rotation.T)
            curvature = share @ (1.0 - tanh**2)
            target = (tanh * share[:, None]).T @ white - curvature[:, None] * rotation
            # The closest orthogonal matrix: no direction is preferred.
            before, (rotation, _) = rotation, polar(target)
            contrast = _contrasts(white, share, rotation).sum()
            if contrast > best_contrast:
                best, best_contrast = rotation, contrast
            cosines = np.abs(np.einsum("ij,ij->i", rotation, before))
            self.converged_ = bool((1.0 - cosines).max() < self.tol)
            if self.converged_ or is_over():
                break
        order = np.argsort(-_contrasts(white, share, best), kind="stable")
        best = best[order]
        largest = np.abs(best).argmax(axis=1)
        return best * np.sign(best[np.arange(d), largest])[:, None]


def _contrasts(white: NDArray, share: NDArray, rotation: NDArray) -> NDArray:
    """Return how far each component is from normal."""
    return (share @ log_cosh(white @ rotation.T) - NORMAL_CONTRAST) ** 2


def log_cosh(x: NDArray) -> NDArray:
    """Return ``log cosh x``, however large."""
    size = np.abs(x)
    return size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)
