"""Linear maps to uncorrelated features of unit variance."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular
from sklearn.base import clone

from destructors._compat import HasMethods, Interval, StrOptions
from destructors._moments import mean_and_scale, repeat_rows
from destructors.base import Destructor
from destructors.linear._rotation import principal_axes

__all__ = ["Whitening"]

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
        Mean of each feature.
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

    def _fit(self, X, sample_weight, random_state):
        if self.covariance_estimator is not None:
            self._fit_by_estimator(X, sample_weight)
            return
        self.mean_, self.scale_, constant = mean_and_scale(X, sample_weight)
        scaled = (X - self.mean_) / self.scale_
        scaled[:, constant] = 0.0
        weighted = scaled if sample_weight is None else scaled * sample_weight[:, None]
        total = len(X) if sample_weight is None else sample_weight.sum()
        correlation = weighted.T @ scaled / total
        np.fill_diagonal(correlation, 1.0)
        if self.shrinkage == "auto":
            self.shrinkage_ = _best_shrinkage(scaled, weighted, correlation, total)
        else:
            self.shrinkage_ = float(self.shrinkage)
        # That few rows lie in a subspace says nothing of their columns: shrinkage is
        # for them. If many do, it hides what the user should know.
        if self.shrinkage_ == 0 or total > X.shape[1]:
            self._warn_of_collinear(correlation)
        correlation *= 1.0 - self.shrinkage_
        np.fill_diagonal(correlation, 1.0)
        self._set_components(correlation)

    def _fit_by_estimator(self, X, sample_weight):
        if self.shrinkage != "auto":
            raise ValueError(
                "covariance_estimator and shrinkage are both given: set one of them."
            )
        name = type(self.covariance_estimator).__name__
        X = repeat_rows(X, sample_weight, name)
        mean, scale, _ = mean_and_scale(X, None)
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
        self._warn_of_collinear(correlation)
        self._set_components(correlation)

    def _warn_of_collinear(self, correlation):
        """Name the columns that are linear combinations of each other."""
        values, vectors = eigh(correlation)
        null = values < _SMALLEST_EIGENVALUE * values[-1]
        if not null.any():
            return
        weight = (vectors[:, null] ** 2).sum(axis=1)
        names = getattr(self, "feature_names_in_", np.arange(len(weight)))
        shown = ", ".join(str(name) for name in names[weight > 1e-3][:10])
        warnings.warn(
            f"Features are linear combinations of each other (columns {shown}): the "
            f"density is regularised along {null.sum()} direction(s). Drop the "
            "redundant columns.",
            stacklevel=2,
        )

    def _set_components(self, correlation):
        values, vectors = eigh(correlation)
        floor = _SMALLEST_EIGENVALUE * values[-1]
        if values[0] < floor:
            correlation = (vectors * np.maximum(values, floor)) @ vectors.T
        self.components_, self._inverse_components, log_root = _square_root(
            correlation, self.method
        )
        self._log_det = log_root - np.log(self.scale_).sum()

    def _forward(self, X):
        Z = ((X - self.mean_) / self.scale_) @ self.components_.T
        return Z, np.full(len(X), self._log_det)

    def _inverse(self, Z):
        X = (Z @ self._inverse_components.T) * self.scale_ + self.mean_
        return X, np.full(len(Z), -self._log_det)


def _best_shrinkage(scaled, weighted, correlation, total):
    """Sum of the variances of the correlations over the sum of their squares."""
    d = correlation.shape[0]
    off = ~np.eye(d, dtype=bool)
    squares = (correlation**2)[off].sum()
    if total <= 1 or squares == 0:
        return 1.0
    second = (weighted * scaled).T @ (scaled * scaled) / total
    variance = (second - correlation**2)[off].sum() / (total - 1.0)
    return float(np.clip(variance / squares, 0.0, 1.0))


def _square_root(correlation, method):
    """Give ``W`` with ``W R Wᵀ = I``, its inverse, and ``log |det W|``."""
    if method == "cholesky":
        lower = cholesky(correlation, lower=True)
        whiten = solve_triangular(lower, np.eye(len(lower)), lower=True)
        return whiten, lower, -np.log(np.diag(lower)).sum()
    values, vectors = principal_axes(correlation)
    root = np.sqrt(values)
    left = vectors if method == "zca" else np.eye(len(values))
    whiten = (left / root) @ vectors.T
    return whiten, (vectors * root) @ left.T, -0.5 * np.log(values).sum()
