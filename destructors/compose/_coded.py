"""Groups of discrete columns in a table: values outside, codes inside."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors.base import Destructor
from destructors.base_distributions import JointDistribution
from destructors.compose._frame import FrameKeeper
from destructors.discrete._base import DiscreteDestructor, check_codes

__all__ = ["CodedGroups", "CodedKeeper"]


class CodedGroups:
    """The discrete destructors of a table, each with the positions of its columns.

    Parameters
    ----------
    groups : dict of str to (DiscreteDestructor, ndarray of int)
        By name; the destructors are not fitted yet.
    """

    def __init__(self, groups: dict[str, tuple[DiscreteDestructor, NDArray]]):
        self.groups = groups

    def __bool__(self) -> bool:
        return bool(self.groups)

    def learn(self, X: Any, sample_weight: ArrayLike | None) -> None:
        """Find the categories of each column."""
        for destructor, columns in self.groups.values():
            destructor._validate_params()
            destructor._learn_categories(_take(X, columns), sample_weight)

    def encode(self, X: Any, *, reset: bool) -> Any:
        """Put codes for values; give a DataFrame, if it is one, or an array."""
        codes = {
            int(j): part
            for destructor, columns in self.groups.values()
            for j, part in zip(
                columns,
                destructor._check_rows(_take(X, columns), reset=reset).T,
                strict=True,
            )
        }
        if hasattr(X, "isetitem"):
            coded = X.copy(deep=False)
            for j, part in codes.items():
                coded.isetitem(j, part)
            return coded
        coded = X.astype(np.float64 if X.dtype.kind in "biuf" else object)
        for j, part in codes.items():
            coded[:, j] = part
        return coded

    def decode(self, X: NDArray) -> dict[int, Any]:
        """Give the values of the coded columns of rows, by position."""
        values: dict[int, Any] = {}
        for destructor, columns in self.groups.values():
            table = destructor._decode(X[:, columns].astype(np.int64))
            for i, j in enumerate(columns):
                in_frame = hasattr(table, "iloc")
                values[int(j)] = table.iloc[:, i] if in_frame else table[:, i]
        return values

    def check(self, Z: NDArray) -> None:
        """Check that latent rows have codes."""
        for destructor, columns in self.groups.values():
            check_codes(Z[:, columns], destructor.n_categories_, "Z")

    def is_unknown(self, X: NDArray) -> NDArray:
        """Tell which rows have a code that stands for what was not seen."""
        unknown = np.zeros(len(X), dtype=bool)
        for destructor, columns in self.groups.values():
            unknown |= destructor._is_unknown(X[:, columns])
        return unknown


def _take(X: Any, columns: NDArray) -> Any:
    return X.iloc[:, columns] if hasattr(X, "iloc") else X[:, columns]


class CodedKeeper(FrameKeeper):
    """Base of destructors of tables in which some columns may be discrete.

    A subclass gives `_discrete_groups`.
    """

    _coded = CodedGroups({})

    @abstractmethod
    def _discrete_groups(self, X: Any) -> dict[str, tuple[DiscreteDestructor, NDArray]]:
        """Give the discrete destructors for a table, unfitted, and their columns."""

    def _check_fit_input(self, X, sample_weight):
        self._coded = CodedGroups({})
        if issparse(X):
            return super()._check_fit_input(X, sample_weight)
        X = _as_table(X, self)
        if groups := self._discrete_groups(X):
            coded = CodedGroups(groups)
            coded.learn(X, sample_weight)
            self._coded = coded
        return super()._check_fit_input(X, sample_weight)

    def _check_rows(self, X, *, reset):
        if self._coded and not issparse(X):
            X = _as_table(X, self)
            # Of another width, it is refused below.
            if reset or X.shape[1] == self.n_features_in_:
                X = self._coded.encode(X, reset=reset)
        return super()._check_rows(X, reset=reset)

    def inverse_and_log_det(self, Z: ArrayLike) -> tuple[NDArray, NDArray]:
        """Map latent rows back to data, with the log-determinant of that map.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Latent rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Data; discrete columns as codes.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map at each row, in nats: minus that of
            `transform_and_log_det` at ``X``.
        """
        check_is_fitted(self)
        has_codes = isinstance(self.base_distribution_, JointDistribution)
        if has_codes and (rows := np.asarray(Z)).shape[1:] == (self.n_features_in_,):
            self._coded.check(rows)
        return super().inverse_and_log_det(Z)

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Draw rows from the learned density.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Samples: a DataFrame with the names and dtypes of the training data, if
            fitted on one; else an array. Categories that were not seen are not drawn.

        Raises
        ------
        ValueError
            If ``n_samples`` is less than 1.
        """
        rng = check_random_state(random_state)
        rows = Destructor.sample(self, n_samples, rng)
        while (again := self._coded.is_unknown(rows)).any():
            rows[again] = Destructor.sample(self, int(again.sum()), rng)
        return self._give(rows)

    def _give(self, X: NDArray) -> Any:
        if not self._coded:
            return super()._give(X)
        values = self._coded.decode(X)
        if self._schema is not None:
            return self._schema.rebuild(X, values)
        columns = [values.get(j, column) for j, column in enumerate(X.T)]
        numeric = all(column.dtype.kind in "biuf" for column in columns)
        given = np.empty(X.shape, dtype=np.float64 if numeric else object)
        for j, column in enumerate(columns):
            given[:, j] = column
        return given


def _as_table(X: Any, estimator: Destructor) -> Any:
    """Give a DataFrame as it is, or else an array of two dimensions."""
    if hasattr(X, "iloc"):
        return X
    return check_array(
        X,
        dtype=None,
        ensure_all_finite=False,
        # How many rows there must be is said later.
        ensure_min_samples=0,
        estimator=estimator,
    )
