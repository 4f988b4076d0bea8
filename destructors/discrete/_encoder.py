"""Codes for the values of a table, and the values back.

What can stand in a column (numbers, strings, categories, dates) becomes ``0 … k - 1``,
where k counts the values seen or declared, one more for missing values where these are
allowed, and one more for whatever was not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "TableEncoder", "columns_of", "is_missing"]


def columns_of(X: Any) -> list[Any]:
    """Give the columns of a DataFrame or of a two-dimensional array."""
    if _is_frame(X):
        return [X.iloc[:, j] for j in range(X.shape[1])]
    return list(X.T)


def _is_frame(X: Any) -> bool:
    # Whoever has a DataFrame has imported pandas.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


@dataclass(frozen=True)
class Column:
    """What the codes of one column stand for.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        The value of each code; the last ones may stand for what is missing and for
        what was not seen.
    n_known : int
        Number of values that are neither.
    missing, unknown : int
        Code of a missing value and of one not seen; -1 without such a code.
    dtype : object
        Of the column in the DataFrame that was learned from; None for an array.
    """

    values: NDArray
    n_known: int
    missing: int
    unknown: int
    dtype: Any

    @classmethod
    def learn(
        cls, column: Any, declared: Any, *, smooth: bool, missing: bool
    ) -> Column:
        """Find the values of a column.

        Parameters
        ----------
        column : array-like of shape (n_samples,)
            Training values.
        declared : array-like of shape (n_categories,), int or None
            Its categories or, for codes, their number; None for those in the column.
        smooth : bool
            Whether there is a code for values that were not seen.
        missing : bool
            Whether there is a code for missing values.
        """
        absent = is_missing(column)
        present = _present(column, absent)
        dtype = getattr(column, "dtype", None) if hasattr(column, "iloc") else None
        if (
            declared is None
            and (categories := getattr(dtype, "categories", None)) is not None
        ):
            declared = np.asarray(categories)
        if declared is None:
            known = np.unique(present)
        else:
            known = np.arange(declared) if np.ndim(declared) == 0 else declared
            known = np.asarray(known)
            if known.ndim != 1 or not len(known):
                raise ValueError("its categories are not a list of values.")
            if len(np.unique(known)) < len(known):
                raise ValueError("a category is declared twice.")
        values, codes = list(known), {"missing": -1, "unknown": -1}
        if missing and (absent.any() or declared is not None):
            codes["missing"] = len(values)
            values.append(None if known.dtype.kind in "OUSbM" else np.nan)
        if smooth and not (known.dtype.kind == "b" and len(known) == 2):
            codes["unknown"] = len(values)
            values.append(_another(known))
        plain = known.dtype.kind in "biufM" and None not in values
        array = np.array(values) if plain else np.empty(len(values), dtype=object)
        array[:] = values
        return cls(array, len(known), **codes, dtype=dtype)

    def __len__(self) -> int:
        return len(self.values)

    def encode(self, column: Any) -> NDArray:
        """Give the codes of values; -1 for one that has none."""
        absent = is_missing(column)
        if not absent.any():
            return self._look_up(_present(column, absent))
        codes = np.full(len(absent), self.missing, dtype=np.int64)
        codes[~absent] = self._look_up(_present(column, absent))
        return codes

    def _look_up(self, present: NDArray) -> NDArray:
        known = self.values[: self.n_known]
        if self.n_known == 0:
            return np.full(len(present), self.unknown)
        order = np.argsort(known, kind="stable")
        try:
            place = np.searchsorted(known, present, sorter=order)
        except TypeError:
            # Strings among numbers, say: nothing of that kind is known.
            return np.full(len(present), self.unknown)
        codes = order[np.minimum(place, self.n_known - 1)]
        return np.where(known[codes] == present, codes, self.unknown)

    def decode(self, codes: NDArray) -> Any:
        """Give the values of codes, as a Series if learned from one."""
        values = self.values[codes]
        if self.dtype is None:
            return values
        pandas = sys.modules["pandas"]
        if not (codes == self.unknown).any():
            return pandas.Series(values).astype(self.dtype)
        # An unseen value need not fit the dtype: categories are all declared.
        return pandas.Series(values)


class TableEncoder:
    """The columns of a table.

    Parameters
    ----------
    columns : list of Column
        One for each.
    names : pandas.Index or None
        Names of the columns of the DataFrame that was learned from.
    dtype : dtype or None
        Of the array that was learned from.
    """

    def __init__(self, columns: list[Column], names: Any, dtype: Any):
        self.columns = columns
        self.names = names
        self.dtype = dtype

    @classmethod
    def learn(
        cls, X: Any, categories: Any, *, smooth: bool, missing: bool
    ) -> TableEncoder:
        """Find the values of each column; see `Column.learn`.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            Training rows.
        categories : "auto" or list of (array-like or int)
            Those of each column.
        smooth, missing : bool
            As in `Column.learn`.
        """
        parts = columns_of(X)
        declared: Sequence[Any] = [None] * len(parts)
        if not isinstance(categories, str):
            declared = list(categories)
            if len(declared) != len(parts):
                raise ValueError(
                    f"categories has {len(declared)} entries, but X has {len(parts)} "
                    "columns."
                )
        columns = []
        for j, (part, given) in enumerate(zip(parts, declared, strict=True)):
            try:
                columns.append(
                    Column.learn(part, given, smooth=smooth, missing=missing)
                )
            except (TypeError, ValueError) as error:
                name = X.columns[j] if _is_frame(X) else j
                raise type(error)(
                    f"Column {name!r} cannot be coded: {error}"
                ) from error
        if _is_frame(X):
            return cls(columns, X.columns, None)
        return cls(columns, None, X.dtype)

    @property
    def sizes(self) -> NDArray:
        """Number of codes of each column."""
        return np.array([len(column) for column in self.columns], dtype=np.int64)

    def known(self) -> list[NDArray]:
        """Values of each column, without what stands for others that were not seen."""
        return [
            column.values[: len(column) - (column.unknown >= 0)]
            for column in self.columns
        ]

    def encode(self, X: Any) -> NDArray:
        """Give the codes of rows; -1 for a value that has none."""
        parts = zip(self.columns, columns_of(X), strict=True)
        return np.stack([column.encode(part) for column, part in parts], axis=1)

    def decode(self, codes: NDArray) -> Any:
        """Give rows as they came: a DataFrame or an array."""
        parts = [
            column.decode(part)
            for column, part in zip(self.columns, codes.T, strict=True)
        ]
        if self.names is not None:
            pandas = sys.modules["pandas"]
            frame = pandas.concat(parts, axis=1)
            frame.columns = self.names
            return frame
        array = np.stack(parts, axis=1)
        if array.dtype == object and self.dtype.kind == "U":
            return array.astype(str)
        # Booleans that were not seen and integers beyond a narrow dtype stay as wide
        # as they are.
        fits = np.can_cast(array.dtype, self.dtype, "same_kind")
        narrow = array.astype(self.dtype) if fits else array
        return narrow if fits and (narrow == array).all() else array


def is_missing(column: Any) -> NDArray:
    """Tell which values of a column, of a DataFrame or an array, are missing."""
    if hasattr(column, "isna"):
        return np.asarray(column.isna(), dtype=bool)
    if column.dtype.kind == "M":
        return np.isnat(column)
    if column.dtype.kind in "fO":
        # Nothing but NaN differs from itself.
        return ((column == None) | (column != column)).astype(bool)  # noqa: E711
    return np.zeros(len(column), dtype=bool)


def _present(column: Any, missing: NDArray) -> NDArray:
    """Give the values that are there, as an array."""
    present = np.asarray(column[~missing])
    dtype = getattr(column.dtype, "numpy_dtype", None)
    if dtype is not None and dtype.kind in "biuf":
        # What pandas keeps apart from its missing values comes as objects.
        present = present.astype(dtype)
    return present


def _another(known: NDArray) -> Any:
    """Give a value that is not among those known, to stand for all such."""
    if not len(known):
        return 0
    if known.dtype.kind == "b":
        return not known[0]
    try:
        return known.max() + 1
    except TypeError:
        name = "unknown"
        while name in known:
            name += "_"
        return name
