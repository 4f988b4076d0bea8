"""Linear maps to uncorrelated features of unit variance."""

import warnings
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular
from sklearn.base import clone

from destructors._compat import HasMethods, Interval, StrOptions
from destructors.base import Destructor
from destructors.linear._rotation import principal_axes
from destructors.maps import Affine, Map
from destructors.rows import Fold, Rows, mean_and_scale, repeat_rows
from destructors.rows._moments import weigh

# Eigenvalues of a correlation matrix below this share of the largest are noise of the
# arithmetic.
_SMALLEST_EIGENVALUE = 1e-10


class Whitening(Destructor):
    """Map features linearly to mean 0, variance 1 and no correlation.

    Features are centred and scaled to unit variance first; the method then acts on
    their correlation matrix, so the result does not depend on the units of the
    features. As a density this is a Gaussian with full covariance.

    Parameters
    ----------
    method : {"pca", "zca", "cholesky"}, default="pca"
        Which of the square roots of the inverse correlation is taken. "pca" gives the
        principal components, largest first; "zca" stays closest to the (scaled)
        features; "cholesky" makes each output a function of the features up to its
        own.
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
        Standard deviation of each feature; 1 where it is constant.
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
    UserWarning
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

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        if self.covariance_estimator is not None:
            correlation = self._correlation_by_estimator(rows)
        else:
            correlation = self._shrunk_correlation(rows)
        values, vectors = eigh(correlation)
        floor = _SMALLEST_EIGENVALUE * values[-1]
        if values[0] < floor:
            correlation = (vectors * np.maximum(values, floor)) @ vectors.T
        self.components_, inverse, log_root = _square_root(correlation, self.method)
        return Affine(self.mean_, self.scale_, self.components_, inverse, log_root)

    def _shrunk_correlation(self, rows: Rows) -> NDArray:
        self.mean_, self.scale_, constant = mean_and_scale(rows)
        total, with_squares = rows.total, self.shrinkage == "auto"
        correlation, second = rows.sum(
            _products, self.mean_, self.scale_, constant, with_squares
        )
        correlation = correlation / total
        np.fill_diagonal(correlation, 1.0)
        if self.shrinkage == "auto":
            self.shrinkage_ = _best_shrinkage(correlation, second / total, total)
        else:
            self.shrinkage_ = float(self.shrinkage)
        # That few rows lie in a subspace says nothing of their columns: shrinkage is
        # for them. If many do, it hides what the user should know.
        if self.shrinkage_ == 0 or total > rows.n_features:
            _warn_of_collinear(correlation, rows)
        correlation *= 1.0 - self.shrinkage_
        np.fill_diagonal(correlation, 1.0)
        return correlation

    def _correlation_by_estimator(self, rows: Rows) -> NDArray:
        if self.shrinkage != "auto":
            raise ValueError(
                "covariance_estimator and shrinkage are both given: set one of them."
            )
        name = type(self.covariance_estimator).__name__
        X = repeat_rows(rows, name)
        mean, scale, _ = mean_and_scale(Rows.of(X))
        estimator = clone(self.covariance_estimator).fit((X - mean) / scale)
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
        return correlation


def _products(
    rows: Rows, mean: NDArray, scale: NDArray, constant: NDArray, with_squares: bool
) -> tuple[NDArray, NDArray | float]:
    """Return sums of the products of two scaled columns, and of their squares."""
    scaled = (rows.values - mean) / scale
    scaled[:, constant] = 0.0
    weighted = weigh(scaled, rows)
    squares = (weighted * scaled).T @ (scaled * scaled) if with_squares else 0.0
    return weighted.T @ scaled, squares


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
        stacklevel=2,
    )


def _square_root(correlation: NDArray, method: str) -> tuple[NDArray, NDArray, float]:
    """Return ``W`` with ``W R Wᵀ = I``, its inverse, and ``log |det W|``."""
    if method == "cholesky":
        lower = cholesky(correlation, lower=True)
        whiten = solve_triangular(lower, np.eye(len(lower)), lower=True)
        return whiten, lower, float(-np.log(np.diag(lower)).sum())
    values, vectors = principal_axes(correlation)
    root = np.sqrt(values)
    left = vectors if method == "zca" else np.eye(len(values))
    whiten = (left / root) @ vectors.T
    return whiten, (vectors * root) @ left.T, float(-0.5 * np.log(values).sum())
