"""The contract: one base class carries every public method of every destructor."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from destructors._compat import (
    check_feature_names_in,
    check_sample_weight,
    fit_context,
)
from destructors._threads import map_threads
from destructors.base_distributions import StandardNormal

__all__ = ["Destructor", "check_weights", "drop_zero_weights"]

# Rows are transformed in blocks of about this many numbers (1 MiB of float64), so that
# a chain of layers works inside the cache and temporaries never grow with n_samples.
_BLOCK_SIZE = 2**17


class Destructor(TransformerMixin, DensityMixin, BaseEstimator, metaclass=ABCMeta):
    r"""Base class of all density destructors.

    A destructor is an invertible map :math:`T` from data to the samples of a known base
    distribution. It defines a density by the change of variables,

    .. math:: \log p(x) = \log p_{base}(T(x)) + \log |\det J_T(x)|.

    A subclass implements three private hooks on plain float64 arrays and nothing else;
    validation, weights, scoring and sampling are done here.

    ``_fit(X, sample_weight, random_state)``
        sets the fitted attributes; keeps no copy of the training data
    ``_forward(X)``
        gives ``(Z, log_det)``
    ``_inverse(Z)``
        gives ``(X, log_det)``, ``log_det`` that of the inverse map
    ``_fit_forward(X, sample_weight, random_state)``
        optional: fits and gives the ``(Z, log_det)`` of the training rows, where
        fitting already produced it, or cross-fitted; only a stack calls it

    In ``_fit``, ``sample_weight`` is None or a positive array of shape ``(n_samples,)``
    (rows of weight zero are already gone); ``random_state`` is a ``RandomState``, or
    None for a destructor without that parameter. A class that chooses or stops by
    held-out rows sets ``_uses_validation``; its fit hooks then take ``validation``, a
    pair ``(X, sample_weight)`` from a stack that has such rows, or None.

    See Also
    --------
    destructors.testing.check_destructor : The properties that each destructor has.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 2.

    Examples
    --------
    A destructor of one's own:

    >>> import numpy as np
    >>> from destructors.base import Destructor
    >>> class Shift(Destructor):
    ...     def _fit(self, X, sample_weight, random_state):
    ...         self.mean_ = np.average(X, axis=0, weights=sample_weight)
    ...     def _forward(self, X):
    ...         return X - self.mean_, np.zeros(len(X))
    ...     def _inverse(self, Z):
    ...         return Z + self.mean_, np.zeros(len(Z))
    >>> X = np.random.default_rng(0).normal(5.0, 1.0, size=(100, 2))
    >>> round(Shift().fit(X).score(X), 2)
    -2.75
    """

    _parameter_constraints: ClassVar[dict] = {}
    # Smallest input a fit makes sense on; stated in the error message otherwise.
    _min_samples: ClassVar[int] = 2
    _min_features: ClassVar[int] = 1
    # Whether the fit hooks take ``validation``.
    _uses_validation: ClassVar[bool] = False
    # Whether an output feature depends on one input feature alone, and so keeps its
    # name.
    _feature_wise: bool = False

    # ------------------------------------------------------------------ hooks

    @abstractmethod
    def _fit(
        self,
        X: NDArray,
        sample_weight: NDArray | None,
        random_state: np.random.RandomState | None,
    ) -> None:
        """Set the fitted attributes."""

    @abstractmethod
    def _forward(self, X: NDArray) -> tuple[NDArray, NDArray]:
        """Map data to the latent space: ``(Z, log_det)``."""

    @abstractmethod
    def _inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        """Map the latent space to data: ``(X, log_det)`` of the inverse map."""

    def _fit_forward(
        self,
        X: NDArray,
        sample_weight: NDArray | None,
        random_state: np.random.RandomState | None,
        **held_out: Any,
    ) -> tuple[NDArray, NDArray]:
        """Fit, and give ``(Z, log_det)`` of the training rows."""
        self._fit(X, sample_weight, random_state, **held_out)
        return self._by_rows(self._forward, X)

    def _settled_params(self, fitted: list[Any]) -> dict[str, Any]:
        """Parameters by which a fit without held-out rows does what fits with such rows
        (``fitted``, destructors of this class) have found best.
        """
        return {}

    def _make_base_distribution(self) -> Any:
        """Give the base distribution of this destructor's latent space."""
        return StandardNormal(self.n_features_in_)

    # ------------------------------------------------------------------ fitting

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None
    ) -> Destructor:
        """Fit the map to data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, finite.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.

        Returns
        -------
        self : object
            The fitted destructor.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional array of numbers with enough rows
            and columns, or a weight is negative, or all are zero.
        TypeError
            If ``X`` is sparse.
        """
        X, sample_weight = self._check_fit_input(X, sample_weight)
        self._fit_checked(X, sample_weight)
        return self

    def _check_fit_input(
        self, X: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[NDArray, NDArray | None]:
        """Validate what `fit` is given; drop the rows of weight zero."""
        X = self._check_rows(X, reset=True)
        return check_weights(X, sample_weight)

    def _fit_checked(
        self,
        X: NDArray,
        sample_weight: NDArray | None,
        validation: tuple[NDArray, NDArray | None] | None = None,
    ) -> None:
        """Fit on checked input: what `fit` does, and what a stack calls on a layer."""
        self._call_fit_hook(self._fit, X, sample_weight, validation)

    def _fit_forward_checked(
        self,
        X: NDArray,
        sample_weight: NDArray | None,
        validation: tuple[NDArray, NDArray | None] | None = None,
    ) -> tuple[NDArray, NDArray]:
        """Do the same, and give ``(Z, log_det)`` of the training rows."""
        return self._call_fit_hook(self._fit_forward, X, sample_weight, validation)

    def _call_fit_hook(
        self,
        hook: Callable[..., Any],
        X: NDArray,
        sample_weight: NDArray | None,
        validation: tuple[NDArray, NDArray | None] | None,
    ) -> Any:
        self.n_features_in_ = X.shape[1]
        self._check_width(self.n_features_in_)
        seed = getattr(self, "random_state", _NO_SEED)
        random_state = None if seed is _NO_SEED else check_random_state(seed)
        held_out = {"validation": validation} if self._uses_validation else {}
        result = hook(X, sample_weight, random_state, **held_out)
        self.base_distribution_ = self._make_base_distribution()
        return result

    def _check_width(self, n_features: int) -> None:
        if n_features < self._min_features:
            raise ValueError(
                f"{type(self).__name__} needs at least {self._min_features} features "
                f"(columns), got {n_features} feature(s)."
            )

    # ------------------------------------------------------------------ mapping

    def transform(self, X: ArrayLike) -> NDArray:
        """Map data to the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Latent rows; they follow ``base_distribution_`` as far as the model is
            right.
        """
        return self.transform_and_log_det(X)[0]

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Map latent rows back to data: the exact inverse of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latent rows.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Data.
        """
        return self.inverse_and_log_det(X)[0]

    def transform_and_log_det(self, X: ArrayLike) -> tuple[NDArray, NDArray]:
        """Map data to the latent space, with the log-determinant of the Jacobian.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Latent rows.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map at each row, in nats.
        """
        check_is_fitted(self)
        return self._by_rows(self._forward, self._check_rows(X, reset=False))

    def inverse_and_log_det(self, Z: ArrayLike) -> tuple[NDArray, NDArray]:
        """Map latent rows back to data, with the log-determinant of that map.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Latent rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Data.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map at each row, in nats: minus that of
            `transform_and_log_det` at ``X``.
        """
        check_is_fitted(self)
        rows: NDArray = check_array(Z, dtype=np.float64, order="C", input_name="Z")
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"Z has {rows.shape[1]} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input."
            )
        return self._by_rows(self._inverse, rows)

    # ------------------------------------------------------------------ density

    def score_samples(self, X: ArrayLike) -> NDArray:
        """Log density of each row, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(x)``; the score of a row does not depend on the other rows.
        """
        Z, log_det = self.transform_and_log_det(X)
        return self.base_distribution_.logpdf(Z) + log_det

    def score(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Mean log density per row, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean.

        Returns
        -------
        score : float
            The (weighted) mean of `score_samples`: larger is better.
        """
        scores = self.score_samples(X)
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, scores, ensure_non_negative=True
            )
        return float(np.average(scores, weights=weight))

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray:
        """Draw rows from the learned density.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Samples.

        Raises
        ------
        ValueError
            If ``n_samples`` is less than 1.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
        rng = check_random_state(random_state)
        Z = self.base_distribution_.sample(n_samples, rng)
        return self._by_rows(self._inverse, Z)[0]

    # ------------------------------------------------------------------ scikit-learn

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Get the names of the latent features.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects
            The input names where each output feature comes from one input feature;
            else the lower-case class name with a number.
        """
        check_is_fitted(self, "n_features_in_")
        names = check_feature_names_in(self, input_features)
        if self._feature_wise:
            return names
        prefix = type(self).__name__.lower()
        return np.asarray([f"{prefix}{j}" for j in range(len(names))], dtype=object)

    # ------------------------------------------------------------------ helpers

    def _check_rows(self, X: ArrayLike, *, reset: bool) -> NDArray:
        """Validate data; give a finite C-ordered float64 array."""
        try:
            rows = validate_data(
                self,
                X,
                reset=reset,
                dtype=np.float64,
                order="C",
                ensure_all_finite=False,
                ensure_min_samples=self._min_samples if reset else 1,
            )
        except (TypeError, ValueError) as error:
            if columns := _columns_without_numbers(X):
                raise ValueError(
                    f"{type(self).__name__} needs numbers, but {columns} not numeric. "
                    "Encode (for example with sklearn.preprocessing.OrdinalEncoder) or "
                    f"drop such columns. ({error})"
                ) from error
            raise
        self._check_finite(rows)
        return rows

    def _check_finite(self, X: NDArray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            # The sum is finite for nearly all valid input and needs no temporary.
            if np.isfinite(X.sum()) or np.isfinite(X).all():
                return
        bad = ~np.isfinite(X)
        kind = "NaN" if np.isnan(X).any() else "infinity (inf)"
        columns = np.flatnonzero(bad.any(axis=0))
        names = getattr(self, "feature_names_in_", np.arange(self.n_features_in_))
        shown = ", ".join(str(name) for name in names[columns[:5]])
        if len(columns) > 5:
            shown += f" and {len(columns) - 5} more"
        raise ValueError(
            f"Input X contains {kind} in {bad.any(axis=1).sum()} row(s); column(s): "
            f"{shown}. {type(self).__name__} needs finite numbers: impute (for example "
            "with sklearn.impute.SimpleImputer) or drop such rows."
        )

    def _by_rows(
        self, hook: Callable[[NDArray], tuple[NDArray, NDArray]], X: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Apply a row-wise hook in blocks of rows, side by side under ``n_jobs``."""
        n_samples, n_features = X.shape
        n_rows = max(1024, _BLOCK_SIZE // n_features)
        if n_samples <= n_rows:
            return hook(X)
        Z, log_det = np.empty_like(X), np.empty(n_samples)

        def fill(rows: slice) -> None:
            Z[rows], log_det[rows] = hook(X[rows])

        batches = gen_batches(n_samples, n_rows)
        map_threads(fill, batches, getattr(self, "n_jobs", None))
        return Z, log_det


_NO_SEED = object()


def check_weights(
    X: NDArray, sample_weight: ArrayLike | None
) -> tuple[NDArray, NDArray | None]:
    """Validate weights; drop the rows of weight zero."""
    if sample_weight is None:
        return X, None
    return drop_zero_weights(
        X,
        check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        ),
    )


def drop_zero_weights(
    X: NDArray, weight: NDArray | None
) -> tuple[NDArray, NDArray | None]:
    """Keep the rows that count."""
    if weight is None or (kept := weight > 0).all():
        return X, weight
    return X[kept], weight[kept]


def _columns_without_numbers(X: Any) -> str:
    """Name the columns of a frame that hold something else than numbers."""
    if not hasattr(X, "dtypes") or not hasattr(X, "columns"):
        return ""
    bad = [
        repr(name)
        for name, dtype in zip(X.columns, X.dtypes, strict=True)
        if not _is_numeric(X[name], getattr(dtype, "kind", "O"))
    ]
    return f"column(s) {', '.join(bad)} are" if bad else ""


def _is_numeric(column: Any, kind: str) -> bool:
    """Whether a column holds numbers, if only as objects or categories."""
    if kind != "O":
        return kind not in "mM"
    try:
        np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return True
