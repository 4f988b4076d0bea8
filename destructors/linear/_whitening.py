"""Linear maps to features of unit variance, each by itself or without correlation."""

import itertools
import warnings
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.linalg import eigh, qr, solve_triangular
from sklearn.base import clone

from destructors._compat import HasMethods, Interval, StrOptions, weighted_percentile
from destructors.base import Destructor
from destructors.exceptions import DataWarning
from destructors.maps import Affine, Chain, Map
from destructors.rows import Fold, Rows, mean_and_scale, repeat_rows
from destructors.rows._moments import quadratic, weigh

# Interquartile range of the standard normal.
_NORMAL_IQR = 1.3489795003921634
# Eigenvalues of a correlation matrix below this share of the largest are noise of the
# arithmetic.
_SMALLEST_EIGENVALUE = 1e-10
_LARGE = 1e307


class Standardize(Destructor):
    """Shift and scale each feature to location 0 and scale 1.

    As a density this is a product of normals. Unlike
    :class:`sklearn.preprocessing.StandardScaler` it counts the change of volume.

    Parameters
    ----------
    robust : bool, default=False
        Whether location and scale are the median and the interquartile range (that of
        the standard normal counts as 1) instead of mean and standard deviation.
        Outliers then have no say.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature, with ``robust=False``.
    center_ : ndarray of shape (n_features,)
        Median of each feature, with ``robust=True``.
    scale_ : ndarray of shape (n_features,)
        Scale of each feature, positive. Where more than half of the rows are equal,
        the robust scale is the standard deviation; a constant feature has scale 1,
        or the last place of its value if that is more.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    Whitening : Removes correlation as well.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import Standardize
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [1000.0]])
    >>> Standardize(robust=True).fit(X).center_
    array([3.])
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {"robust": ["boolean"]}

    def __init__(self, *, robust: bool = False):
        self.robust = robust

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        location, self.scale_, _ = mean_and_scale(rows)
        if not self.robust:
            self.mean_ = location
            return Affine(location, self.scale_)
        samples = rows.column_samples()
        low, self.center_, high = (
            np.array([quantile(x, weight, percent) for x, weight in samples])
            for percent in (25.0, 50.0, 75.0)
        )
        spread = (high - low) / _NORMAL_IQR
        # Where it is rounding noise, the middle half is one repeated value.
        usable = spread > 1e-12 * self.scale_
        self.scale_ = np.where(usable, spread, self.scale_)
        return Affine(self.center_, self.scale_)


class Whitening(Destructor):
    """Map features linearly to mean 0, variance 1 and no correlation.

    Features are centred and scaled to unit variance first; the method then acts on
    their correlation matrix, so the result does not depend on the units of the
    features. As a density this is a Gaussian with full covariance.

    Parameters
    ----------
    method : {"pca", "zca", "cholesky"}, default="pca"
        Which of the square roots of the inverse correlation is taken. "pca" gives the
        principal components, largest first, those without variance spread over the
        others, and constant features where they are; "zca" stays closest to the
        (scaled) features; "cholesky" makes each output a function of the features up to
        its own.
    shrinkage : float or "auto", default="auto"
        Factor in [0, 1] by which correlations are pulled to zero. "auto" minimises the
        expected squared error (Schäfer and Strimmer), which tends to 0 with many rows.
    covariance_estimator : estimator, default=None
        An estimator of :mod:`sklearn.covariance`, such as ``MinCovDet()``, that sets
        ``covariance_``, and ``location_`` if that is not the mean. It is fitted on the
        standardised features, in place of ``shrinkage``, which must be left "auto". It
        takes integer weights only, as repeated rows.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature (what ``covariance_estimator`` takes for it).
    scale_ : ndarray of shape (n_features,)
        Standard deviation of each feature; 1 where it is constant,
        or the last place of its value if that is more.
    components_ : ndarray of shape (n_features, n_features)
        Matrix ``W`` of the map ``z = W ((x - mean_) / scale_)``.
    shrinkage_ : float or None
        The factor in use; None with ``covariance_estimator``.
    covariance_estimator_ : estimator
        The fitted estimator, with ``covariance_estimator``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if ``covariance_estimator`` is given together with ``shrinkage`` or
        with weights that are no integers, or does not set ``covariance_``.

    Warns
    -----
    DataWarning
        If features are linear combinations of each other, in more rows than there are
        features; the density is regularised along those directions.

    References
    ----------
    A. Kessy, A. Lewin and K. Strimmer, *Optimal whitening and decorrelation*, The
    American Statistician 72, 2018 (PCA-cor, ZCA-cor, Cholesky). J. Schäfer and K.
    Strimmer, *A shrinkage approach to large-scale covariance matrix estimation*,
    Statistical Applications in Genetics and Molecular Biology 4, 2005, target D.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(1000, 2)) @ [[1.0, 2.0], [0.0, 1.0]]
    >>> Z = Whitening(shrinkage=0.0).fit_transform(X)
    >>> bool(np.allclose(np.cov(Z.T, bias=True), np.eye(2)))
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "method": [StrOptions({"pca", "zca", "cholesky"})],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "covariance_estimator": [HasMethods("fit"), None],
    }

    shrinkage_: float | None

    def __init__(
        self,
        *,
        method: Literal["pca", "zca", "cholesky"] = "pca",
        shrinkage: float | Literal["auto"] = "auto",
        covariance_estimator: Any = None,
    ):
        self.method = method
        self.shrinkage = shrinkage
        self.covariance_estimator = covariance_estimator

    def _fits_stored(self, fold: Fold) -> bool:
        return self.covariance_estimator is None

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        if self.covariance_estimator is not None:
            sample, correlation = self._correlation_by_estimator(rows)
        else:
            sample, correlation = self._shrunk_correlation(rows)
        whiten, inverse, log_root, turn = _square_root(correlation, sample, self.method)
        self.components_ = whiten if turn is None else turn @ whiten
        white = Affine(self.mean_, self.scale_, whiten, inverse, log_root)
        if turn is None:
            return white
        # A product would round what it enlarges most into all that it gives.
        return Chain((white, Affine.rotation(turn)))

    def _shrunk_correlation(self, rows: Rows) -> tuple[NDArray, NDArray]:
        """Return the correlation of the rows, and what is made of it."""
        self.mean_, self.scale_, constant = mean_and_scale(rows)
        total = rows.total
        # Nothing is left of a column that is constant.
        scale = np.where(constant, np.inf, self.scale_)
        second = None
        if self.shrinkage == "auto":
            correlation, second = rows.sum(_sum_products_and_squares, self.mean_, scale)
        else:
            correlation = rows.sum(sum_products, self.mean_, scale)
        correlation = correlation / total
        np.fill_diagonal(correlation, 1.0)
        if second is not None:
            self.shrinkage_ = _best_shrinkage(correlation, second / total, total)
        else:
            self.shrinkage_ = float(self.shrinkage)
        # That few rows lie in a subspace says nothing of their columns: shrinkage is
        # for them. If many do, it hides what the user should know.
        if self.shrinkage_ == 0 or total > rows.n_features:
            _warn_of_collinear(correlation, rows)
        shrunk = (1.0 - self.shrinkage_) * correlation
        np.fill_diagonal(shrunk, 1.0)
        np.fill_diagonal(correlation, ~constant)
        return correlation, shrunk

    def _correlation_by_estimator(self, rows: Rows) -> tuple[NDArray, NDArray]:
        """Return the correlation of the rows, and that of the estimator."""
        if self.shrinkage != "auto":
            raise ValueError(
                "covariance_estimator and shrinkage are both given: set one of them."
            )
        name = type(self.covariance_estimator).__name__
        X = repeat_rows(rows, name)
        mean, scale, constant = mean_and_scale(Rows.of(X))
        X = (X - mean) / scale
        estimator = clone(self.covariance_estimator).fit(X)
        covariance = getattr(estimator, "covariance_", None)
        if covariance is None:
            raise ValueError(
                f"covariance_estimator must set covariance_ when it is fitted; {name} "
                "does not."
            )
        location = getattr(estimator, "location_", np.zeros(len(mean)))
        sd = np.sqrt(np.diag(covariance))
        sd[sd == 0] = 1.0
        self.covariance_estimator_ = estimator
        self.shrinkage_ = None
        self.mean_, self.scale_ = mean + scale * location, scale * sd
        correlation = covariance / np.outer(sd, sd)
        np.fill_diagonal(correlation, 1.0)
        _warn_of_collinear(correlation, rows)
        sample = X.T @ X / len(X)
        # Nothing is left of a column that is constant.
        sample[constant], sample[:, constant] = 0.0, 0.0
        return sample, correlation


def quantile(x: NDArray, weight: NDArray | None, percent: float) -> float:
    """Return a percentile of weighted values; the middle where it lies between two."""
    weight = np.ones(len(x)) if weight is None else weight
    # The mean of two is half their sum, which may be beyond the largest float.
    unit = 0.5 if np.abs(x).max() > _LARGE else 1.0
    return float(weighted_percentile(unit * x, weight, percent, average=True)) / unit


@quadratic
def sum_products(rows: Rows, mean: NDArray, scale: NDArray | float) -> NDArray:
    """Return sums of the products of two scaled columns."""
    scaled = (rows.values - mean) / scale
    return weigh(scaled, rows).T @ scaled


def _sum_products_and_squares(
    rows: Rows, mean: NDArray, scale: NDArray
) -> tuple[NDArray, NDArray]:
    """Return sums of the products of two scaled columns, and of their squares."""
    scaled = (rows.values - mean) / scale
    weighted = weigh(scaled, rows)
    return weighted.T @ scaled, (weighted * scaled).T @ (scaled * scaled)


def _best_shrinkage(correlation: NDArray, second: NDArray, total: float) -> float:
    """Return the sum of the variances of the correlations over that of their squares.

    ``second`` are the mean squares of the products whose means are the correlations.
    """
    off = ~np.eye(len(correlation), dtype=bool)
    squares = (correlation**2)[off].sum()
    if total <= 1 or squares == 0:
        return 1.0
    variance = (second - correlation**2)[off].sum() / (total - 1.0)
    return float(np.clip(variance / squares, 0.0, 1.0))


def _warn_of_collinear(correlation: NDArray, rows: Rows) -> None:
    """Name the columns that are linear combinations of each other."""
    values, vectors = eigh(correlation)
    null = values < _SMALLEST_EIGENVALUE * values[-1]
    if not null.any():
        return
    weight = (vectors[:, null] ** 2).sum(axis=1)
    shown = ", ".join(map(rows.name, np.flatnonzero(weight > 1e-3)[:10]))
    warnings.warn(
        f"Features are linear combinations of each other (columns {shown}): the "
        f"density is regularised along {null.sum()} direction(s). Drop the "
        "redundant columns.",
        DataWarning,
        stacklevel=2,
    )


def _square_root(
    correlation: NDArray, sample: NDArray, method: str
) -> tuple[NDArray, NDArray, float, NDArray | None]:
    """Return ``W`` with ``W R Wᵀ = I``, its inverse, ``log |det W|``, and a rotation to
    follow it; None for the identity.

    Axes along which the rows have no variance, by their own correlation ``sample``, are
    spread over the others: what regularises ``R`` gives them some that no row has. A
    column that is constant stays by itself, to the last bit: nothing can be spread over
    it, and rounding of others would be all that varies in it.
    """
    varies = np.flatnonzero(np.diagonal(sample))
    if len(varies) < (d := len(sample)):
        if not len(varies):
            return np.eye(d), np.eye(d), 0.0, None
        within = np.ix_(varies, varies)
        whiten, inverse, log_root, turn = _square_root(
            correlation[within], sample[within], method
        )
        whiten, inverse = among(varies, whiten, d), among(varies, inverse, d)
        turn = None if turn is None else among(varies, turn, d)
        return whiten, inverse, log_root, turn
    values, vectors = principal_axes(correlation)
    values = np.maximum(values, _SMALLEST_EIGENVALUE * values[0])
    root, log_root = np.sqrt(values), float(-0.5 * np.log(values).sum())
    if method == "cholesky":
        # Of the matrix itself rounding would be a share of what was raised.
        _, upper = np.linalg.qr(root[:, None] * vectors.T)
        lower = upper.T * np.sign(np.diagonal(upper))
        whiten = solve_triangular(lower, np.eye(len(lower)), lower=True)
        return whiten, lower, log_root, None
    variances = np.einsum("ij,ij->j", vectors, sample @ vectors)
    is_null = variances <= _SMALLEST_EIGENVALUE * max(1.0, variances.max())
    if method == "zca" and not is_null.any():
        whiten, inverse = (vectors / root) @ vectors.T, (vectors * root) @ vectors.T
        return whiten, inverse, log_root, None
    turn = vectors if method == "zca" else spread_null(is_null)
    whiten, inverse = vectors.T / root[:, None], vectors * root
    return whiten, inverse, log_root, turn if is_null.any() else None


def among(columns: NDArray, matrix: NDArray, n_features: int) -> NDArray:
    """Return a matrix for some columns as one that leaves the others as they are."""
    whole = np.eye(n_features)
    whole[np.ix_(columns, columns)] = matrix
    return whole


def principal_axes(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """Return eigenvalues, largest first, and eigenvectors free of rounding.

    An eigenvector has no sign, and equal eigenvalues leave a whole subspace free. The
    sign is made that of the largest entry (of the first, where several are as large, as
    between columns that repeat each other), and a free subspace is spanned by the
    coordinate axes that lie closest to it, so that equal matrices give equal axes.

    Parameters
    ----------
    matrix : ndarray of shape (n_features, n_features)
        Symmetric.

    Returns
    -------
    values : ndarray of shape (n_features,)
    vectors : ndarray of shape (n_features, n_features)
        One axis a column.
    """
    values, vectors = eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1].copy()
    # Of what is as large the first is taken, not what rounding picks.
    first = 1.0 - 1e-6 * np.arange(len(values))
    same = np.abs(np.diff(values)) <= 1e-10 * np.abs(values).max()
    edges = np.flatnonzero(np.r_[True, ~same, True])
    for start, stop in itertools.pairwise(edges):
        if stop - start > 1:
            free = vectors[:, start:stop]
            basis, _, _ = qr(free @ free.T * first, pivoting=True)
            vectors[:, start:stop] = basis[:, : stop - start]
    largest = (np.abs(vectors) * first[:, None]).argmax(axis=0)
    return values, vectors * np.sign(vectors[largest, np.arange(len(values))])


def spread_null(is_null: NDArray) -> NDArray:
    """Return a rotation that spreads axes without variance over the others.

    Along an axis on which the rows only differ by rounding errors a layer that comes
    after would learn these errors, and throw a new row that is off by a little to the
    end of the world. Mixed with an axis that has variance, none is left of that kind.

    Parameters
    ----------
    is_null : ndarray of bool of shape (n_features,)
        Which axes have no variance.

    Returns
    -------
    rotation : ndarray of shape (n_features, n_features)
        The identity where no axis is null, or all are.
    """
    rotation = np.eye(len(is_null))
    strong, null = np.flatnonzero(~is_null), np.flatnonzero(is_null)
    for k, axis in enumerate(strong[: len(null)]):
        group = np.r_[axis, null[k :: len(strong)]]
        # The first of these vectors is constant: each axis gets as much of the strong.
        rotation[np.ix_(group, group)] = dct(np.eye(len(group)), norm="ortho")
    return rotation
