"""Base of the maps that depend on a domain: what `Destructor` is for one density."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import (
    StrOptions,
    check_feature_names_in,
    check_sample_weight,
    fit_context,
)
from destructors.alignment._domains import (
    Samples,
    check_labels,
    encode_labels,
    resolve_domain_weights,
    split_domains,
)
from destructors.base import Destructor, check_weights
from destructors.metrics import energy_coefficient

__all__ = ["DomainMap"]


class DomainMap(TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the invertible maps, one for each domain, into a shared space.

    A subclass implements three private hooks:

    ``_fit(samples, validation, random_state)``
        sets the fitted attributes from the rows of each domain; ``domain_weights_`` is
        there already, ``validation`` holds rows to choose by, or is None
    ``_forward(X, domain)``
        gives ``(Z, log_det)`` of rows of the domain with that number
    ``_inverse(Z, domain)``
        gives ``(X, log_det)`` of the inverse map
    """

    # Requested by default: a map without the labels of its rows can do nothing.
    __metadata_request__fit: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__transform: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__inverse_transform: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__score: ClassVar[dict] = {"sample_domain": True}

    _parameter_constraints: ClassVar[dict] = {
        "domain_weights": [
            StrOptions({"uniform", "proportional", "target"}),
            Mapping,
            "array-like",
        ],
        "random_state": ["random_state"],
    }
    _min_samples: ClassVar[int] = 2
    # Fewest rows that a domain can have.
    _min_domain_samples: ClassVar[int] = 2

    # Rows are checked as those of a density are, with the same messages.
    _check_rows = Destructor._check_rows
    _check_finite = Destructor._check_finite

    # ------------------------------------------------------------------ hooks

    @abstractmethod
    def _fit(
        self,
        samples: Samples,
        validation: Samples | None,
        random_state: np.random.RandomState,
    ) -> None:
        """Set the fitted attributes."""

    @abstractmethod
    def _forward(self, X: NDArray, domain: int) -> tuple[NDArray, NDArray]:
        """Map rows of a domain to the shared space: ``(Z, log_det)``."""

    @abstractmethod
    def _inverse(self, Z: NDArray, domain: int) -> tuple[NDArray, NDArray]:
        """Map shared rows to a domain: ``(X, log_det)`` of the inverse map."""

    # ------------------------------------------------------------------ fitting

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> DomainMap:
        """Fit the maps of all domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data of all domains, finite.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row: numbers or strings, at least two.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.

        Returns
        -------
        self : object
            The fitted map.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional array of numbers, there is no label
            for each row, there are less than two domains or too few rows of one, or a
            weight is negative.
        """
        name = type(self).__name__
        rows = self._check_rows(X, reset=True)
        labels = self._check_labels(sample_domain, rows)
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, rows, dtype=np.float64, ensure_non_negative=True
            )
            kept = weight > 0
            rows, weight, labels = rows[kept], weight[kept], labels[kept]
        self.domains_, samples = split_domains(
            rows, weight, labels, self._min_domain_samples, name
        )
        shares = resolve_domain_weights(
            self.domain_weights, self.domains_, samples.totals()
        )
        self._fit_checked(samples, None, shares, check_random_state(self.random_state))
        return self

    def _fit_checked(
        self,
        samples: Samples,
        validation: Samples | None,
        domain_weights: NDArray,
        random_state: np.random.RandomState,
    ) -> None:
        """Fit on checked input: what `fit` does, and what a flow calls on a layer."""
        self.n_features_in_ = samples.rows[0].shape[1]
        if not hasattr(self, "domains_"):
            self.domains_ = np.arange(len(samples.rows))
        self.domain_weights_ = domain_weights
        self._fit(samples, validation, random_state)

    def fit_transform(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> NDArray:
        """Fit the maps, and map the training rows to the shared space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data of all domains.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.
        """
        self.fit(X, y, sample_domain=sample_domain, sample_weight=sample_weight)
        return self.transform(X, sample_domain=sample_domain)

    # ------------------------------------------------------------------ mapping

    def transform(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> NDArray:
        """Map rows to the shared space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.

        Raises
        ------
        ValueError
            If ``sample_domain`` is missing or has a label that was not there in `fit`.
        """
        return self.transform_and_log_det(X, sample_domain=sample_domain)[0]

    def inverse_transform(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> NDArray:
        """Map rows of the shared space to domains: the exact inverse of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the shared space.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain that each row goes to.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows of the domains.
        """
        return self.inverse_and_log_det(X, sample_domain=sample_domain)[0]

    def transform_and_log_det(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> tuple[NDArray, NDArray]:
        """Map rows to the shared space, with the log-determinant of the Jacobian.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map of its domain at each row, in nats.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        return self._by_domain(self._forward, rows, self._encode(sample_domain, rows))

    def inverse_and_log_det(
        self, Z: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> tuple[NDArray, NDArray]:
        """Map rows of the shared space to domains, with the log-determinant.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Rows of the shared space.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain that each row goes to.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows of the domains.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map at each row, in nats.
        """
        check_is_fitted(self)
        rows = self._check_shared(Z)
        return self._by_domain(self._inverse, rows, self._encode(sample_domain, rows))

    def translate(self, X: ArrayLike, *, source: Any, target: Any) -> NDArray:
        """Map rows of one domain to what they would be in another.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the domain ``source``.
        source : label
            Domain of the rows.
        target : label
            Domain to map them to.

        Returns
        -------
        X_translated : ndarray of shape (n_samples, n_features)
            Rows as of the domain ``target``.

        Raises
        ------
        ValueError
            If a label was not there in `fit`.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        start, end = (self._number(label) for label in (source, target))
        return self._inverse(self._forward(rows, start)[0], end)[0]

    def score(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Tell how well the domains agree in the shared space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of at least two domains. Time grows with the square of their number.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Minus the `destructors.metrics.energy_coefficient` among the domains: larger
            is better, at best about minus one over the number of rows of a domain.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        labels = self._check_labels(sample_domain, rows)
        codes = encode_labels(labels, self.domains_)
        Z = self._by_domain(self._forward, rows, codes)[0]
        weight = None
        if sample_weight is not None:
            Z, weight = check_weights(Z, sample_weight)
            labels = labels[np.asarray(sample_weight) > 0]
        _, samples = split_domains(Z, weight, labels, 1, type(self).__name__)
        return -energy_coefficient(*samples)

    # ------------------------------------------------------------------ scikit-learn

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Get the names of the shared features: those of the input.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects
            A map moves rows within their space, so the names stay.
        """
        check_is_fitted(self, "n_features_in_")
        return check_feature_names_in(self, input_features)

    # ------------------------------------------------------------------ helpers

    def _check_shared(self, Z: ArrayLike) -> NDArray:
        rows: NDArray = check_array(Z, dtype=np.float64, order="C", input_name="Z")
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"Z has {rows.shape[1]} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input."
            )
        return rows

    def _encode(self, sample_domain: ArrayLike | None, rows: NDArray) -> NDArray:
        return encode_labels(self._check_labels(sample_domain, rows), self.domains_)

    def _check_labels(self, sample_domain: ArrayLike | None, rows: NDArray) -> NDArray:
        return check_labels(sample_domain, len(rows), type(self).__name__)

    def _number(self, label: Any) -> int:
        return int(encode_labels(np.asarray([label]), self.domains_)[0])

    def _by_domain(
        self,
        hook: Callable[[NDArray, int], tuple[NDArray, NDArray]],
        X: NDArray,
        codes: NDArray,
    ) -> tuple[NDArray, NDArray]:
        """Apply a hook to the rows of each domain."""
        Z, log_det = np.empty_like(X), np.empty(len(X))
        for domain in np.unique(codes):
            rows = codes == domain
            Z[rows], log_det[rows] = hook(X[rows], int(domain))
        return Z, log_det
