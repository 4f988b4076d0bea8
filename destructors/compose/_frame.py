"""What a pandas DataFrame was like, so that rows can be given back as one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.base import Destructor

__all__ = ["FrameKeeper", "FrameSchema"]


class FrameSchema(NamedTuple):
    """Names and dtypes of the columns of a DataFrame.

    Attributes
    ----------
    columns : pandas.Index
    dtypes : list of dtype
    """

    columns: Any
    dtypes: list

    @classmethod
    def of(cls, X: Any) -> FrameSchema | None:
        """Remember a DataFrame; None for anything else."""
        # Whoever has a DataFrame has imported pandas.
        pandas = sys.modules.get("pandas")
        if pandas is None or not isinstance(X, pandas.DataFrame):
            return None
        return cls(X.columns, list(X.dtypes))

    def rebuild(self, X: NDArray, values: Mapping[int, Any] | None = None) -> Any:
        """Make a DataFrame like the one remembered.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        values : dict of int to pandas.Series, default=None
            Columns that are as they should be already, by position.

        Returns
        -------
        frame : pandas.DataFrame
            With the names and dtypes of the one remembered; numbers are rounded to what
            an integer, boolean or categorical dtype can hold.
        """
        pandas = sys.modules["pandas"]
        frame = pandas.DataFrame(X, columns=self.columns)
        made = values or {}
        parts = [
            made[j] if j in made else _convert(frame.iloc[:, j], dtype, pandas)
            for j, dtype in enumerate(self.dtypes)
        ]
        frame = pandas.concat(parts, axis=1)
        frame.columns = self.columns
        return frame


def _convert(column: Any, dtype: Any, pandas: Any) -> Any:
    if isinstance(dtype, pandas.CategoricalDtype):
        categories = np.sort(dtype.categories.to_numpy(dtype=np.float64))
        middles = 0.5 * (categories[1:] + categories[:-1])
        nearest = categories[np.searchsorted(middles, column)]
        values = nearest.astype(dtype.categories.dtype)
        return pandas.Series(values, column.index).astype(dtype)
    kind = getattr(dtype, "kind", "O")
    if kind == "b":
        return (column >= 0.5).astype(dtype)
    if kind in "iu":
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        # The largest 64-bit integers are not float64 numbers.
        highest = np.nextafter(float(limits.max) + 1.0, 0.0)
        return column.round().clip(float(limits.min), highest).astype(dtype)
    return column.astype(dtype) if kind == "f" else column


class FrameKeeper(Destructor):
    """Base of destructors that give DataFrames back where they were fitted on one."""

    _schema: FrameSchema | None = None

    @property
    def _gives_frames(self) -> bool:
        return self._schema is not None

    def _check_fit_input(self, X, sample_weight):
        self._schema = FrameSchema.of(X)
        return super()._check_fit_input(X, sample_weight)

    def inverse_transform(self, X: ArrayLike) -> Any:
        """Map latent rows back to data: the exact inverse of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latent rows.

        Returns
        -------
        X_original : ndarray or DataFrame of shape (n_samples, n_features)
            Data: a DataFrame with the names and dtypes of the training data, if a
            `ColumnDestructor` was fitted on one; else an array.
        """
        return self._give(super().inverse_transform(X))

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
            Samples: a DataFrame with the names and dtypes of the training data, if a
            `ColumnDestructor` was fitted on one; else an array.

        Raises
        ------
        ValueError
            If ``n_samples`` is less than 1.
        """
        return self._give(super().sample(n_samples, random_state))

    def _give(self, X: NDArray) -> Any:
        if not self._gives_frames or self._schema is None:
            return X
        return self._schema.rebuild(X)
