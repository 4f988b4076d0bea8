"""What the columns of a table were like, so that rows come back as they went in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._checks import check_codes, check_finite, list_columns
from destructors.maps._column import MISSING, UNSEEN, Column
from destructors.maps._map import Data
from destructors.maps._values import (
    columns_of,
    comparable,
    import_library,
    library_of,
    names_of,
    read_numbers,
)

__all__ = ["Column", "Schema"]


@dataclass(frozen=True, eq=False, repr=False)
class Schema(Data):
    """The columns of a table, and what kind of table it was.

    Rows of all kinds are one matrix: numbers stand for themselves, categories are
    codes from 0 on. `encode` makes it of a table, `decode` makes a table of it.

    Parameters
    ----------
    columns : tuple of Column
        One for each.
    container : {"array", "pandas", "polars"}
        What it was. Where that library is missing, `decode` gives arrays.
    levels : tuple
        Names of the levels of the names, in a frame of pandas: several if each name is
        a tuple of a MultiIndex.
    """

    columns: tuple[Column, ...]
    container: str
    levels: tuple = (None,)

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def kinds(self) -> NDArray:
        """Kind of each column; see `Column`."""
        return np.array([column.kind for column in self.columns], dtype=np.int64)

    @cached_property
    def names(self) -> list:
        """Names of the columns."""
        return [column.name for column in self.columns]

    @cached_property
    def has_categories(self) -> bool:
        """Whether a column is categorical."""
        return bool((self.kinds > 0).any())

    @cached_property
    def is_coded(self) -> bool:
        """Whether all columns are categorical."""
        return bool((self.kinds > 0).all())

    @cached_property
    def categories(self) -> list[NDArray]:
        """Values of each categorical column, that for what was not seen left out."""
        return [
            column.table[: column.kind - (column.unknown >= 0)]
            for column in self.columns
            if column.kind > 0
        ]

    @cached_property
    def _firsts(self) -> NDArray | None:
        """Value of each column's code 0, where all columns count up from it."""
        firsts = [column.first for column in self.columns]
        return None if None in firsts else np.array(firsts, dtype=np.int64)

    @cached_property
    def _n_known(self) -> NDArray:
        known = [column.values for column in self.columns]
        return np.array([0 if values is None else len(values) for values in known])

    @cached_property
    def _one_dtype(self) -> str | None:
        """The dtype of all columns, where these are floats of NumPy."""
        dtypes = {column.dtype for column in self.columns}
        return dtypes.pop() if dtypes in ({"float64"}, {"float32"}) else None

    def take(self, columns: Any) -> Schema:
        """Return the schema of some of the columns, by position."""
        chosen = tuple(self.columns[int(j)] for j in columns)
        return Schema(chosen, self.container, self.levels)

    # ------------------------------------------------------------------ in

    def encode(
        self,
        X: Any,
        *,
        name: str = "X",
        owner: str = "This density",
        training: bool = False,
    ) -> NDArray:
        """Return a table as a matrix of numbers and codes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.
        name, owner : str
            What a message calls them, and who wants them.
        training : bool, default=False
            Whether unknown categories without a code are let through, as code 0: they
            are those of rows without weight.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            Of int64 where all columns are categorical, else of float64.

        Raises
        ------
        ValueError
            If columns are others than in fit or in another order, numbers are not
            finite, or categories are missing or unknown and have no code.
        """
        if library_of(X) == "array":
            X = np.asarray(X)
            if X.ndim != 2:
                raise ValueError(f"{name} must have two dimensions, got {X.ndim}.")
        if X.shape[1] != len(self):
            raise ValueError(
                f"{name} has {X.shape[1]} features, but {owner} is expecting "
                f"{len(self)} features as input."
            )
        self.check_names(X, name)
        if (codes := self._shift(X)) is not None:
            return codes
        parts, strange = [], []
        for column, part in zip(self.columns, columns_of(X), strict=True):
            try:
                is_category = column.kind > 0
                parts.append(column.encode(part) if is_category else read_numbers(part))
            except (TypeError, ValueError) as error:
                strange.append((column, error))
        if strange:
            raise _not_numbers(strange, owner)
        rows = np.ascontiguousarray(np.stack(parts, axis=1))
        self._check(rows, name, owner, training)
        return rows

    def _shift(self, X: Any) -> NDArray | None:
        """Return the codes of integers without a search, where that is possible."""
        if not (isinstance(X, np.ndarray) and X.dtype.kind in "iu"):
            return None
        if self._firsts is None or not np.can_cast(X.dtype, np.int64):
            return None
        codes = np.subtract(X, self._firsts, order="C")
        known = (codes >= 0) & (codes < self._n_known)
        return codes if known.all() else None

    def check_names(self, X: Any, name: str = "X") -> None:
        """Check that the columns of a frame are those of the fit, in their order."""
        if "array" in (library_of(X), self.container):
            return
        given = names_of(X)
        # As text, NaN is itself.
        if repr(given) == repr(self.names):
            return
        if sorted(map(repr, given)) == sorted(map(repr, self.names)):
            raise ValueError(
                f"The columns of {name} are in another order than in fit: {given}, not "
                f"{self.names}."
            )
        if all(isinstance(known, str) for known in self.names):
            raise ValueError(
                f"The columns of {name} are not those of the fit: {given}, not "
                f"{self.names}."
            )

    def _check(self, rows: NDArray, name: str, owner: str, training: bool) -> None:
        is_code = self.kinds > 0
        if not is_code.all():
            numbers = rows if not is_code.any() else np.where(is_code, 0.0, rows)
            check_finite(numbers, self.names, name, owner)
        bad = (rows < 0) & is_code
        if not bad.any():
            return
        missing = bad & (rows == MISSING)
        if missing.any():
            self._refuse(missing, name, "NaN or another missing value", _ALLOW)
        if not training:
            self._refuse(bad, name, "categories that were not seen in fit", _SMOOTH)
        rows[bad] = 0

    def check_declared(self, X: Any, kept: NDArray) -> None:
        """Check that the values of rows that count are among those declared."""
        for j, (column, part) in enumerate(
            zip(self.columns, columns_of(X), strict=True)
        ):
            if column.kind > 0 and column.unknown < 0:
                bad = (column.encode(part) == UNSEEN) & kept
                if bad.any():
                    where = np.zeros((len(bad), len(self)), dtype=bool)
                    where[:, j] = bad
                    what = "values that are not among the categories"
                    self._refuse(where, "X", what, "Declare them, or drop such rows.")

    def _refuse(self, bad: NDArray, name: str, what: str, advice: str) -> None:
        shown = list_columns(bad, self.names)
        raise ValueError(
            f"Input {name} contains {what} in {bad.any(axis=1).sum()} row(s); "
            f"column(s): {shown}. {advice}"
        )

    def is_unknown(self, X: NDArray) -> NDArray:
        """Return which rows have a code that stands for what was not seen."""
        unknown = np.array([column.unknown for column in self.columns])
        return ((unknown == X) & (unknown >= 0)).any(axis=1)

    # ------------------------------------------------------------------ out

    def decode(self, X: NDArray) -> Any:
        """Return a matrix of numbers and codes as a table.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows, as from `encode`.

        Returns
        -------
        table : DataFrame or ndarray of shape (n_samples, n_features)
            With the names and dtypes of the table that was learned from. Numbers are
            rounded to what an integer, boolean or categorical dtype can hold. A code
            of unseen values comes back as a value that was not seen.

        Raises
        ------
        ValueError
            If a categorical column has something else than codes.
        """
        module = import_library(self.container)
        if module is None and (whole := self._shift_back(X)) is not None:
            return whole
        if self.has_categories:
            check_codes(X, np.maximum(self.kinds, 0), "X")
        if self._one_dtype is not None and self.container == "pandas" and module:
            return self._with_names(module.DataFrame(X.astype(self._one_dtype)), module)
        parts = [
            column.decode(part.astype(np.int64), module)
            if column.kind > 0
            else column.decode_numbers(part, module)
            for column, part in zip(self.columns, X.T, strict=True)
        ]
        if module is None:
            return self._as_array(parts)
        if self.container == "polars":
            return module.DataFrame(dict(zip(self.names, parts, strict=True)))
        return self._with_names(module.concat(parts, axis=1), module)

    def _shift_back(self, X: NDArray) -> NDArray | None:
        if self._firsts is None or X.dtype != np.int64:
            return None
        if not ((X >= 0) & (self._n_known > X)).all():
            return None
        return (X + self._firsts).astype(self.columns[0].dtype)

    def _as_array(self, parts: list[NDArray]) -> NDArray:
        alike = all(comparable(part, parts[0]) for part in parts)
        if not self.is_coded:
            dtype = np.float64 if alike and parts[0].dtype.kind in "biuf" else object
        elif self.container == "array" and alike:
            return _narrow(np.stack(parts, axis=1), np.dtype(self.columns[0].dtype))
        else:
            dtype = object
        array = np.empty((len(parts[0]), len(parts)), dtype)
        for j, part in enumerate(parts):
            array[:, j] = part
        return array

    def _with_names(self, frame: Any, pandas: Any) -> Any:
        if len(self.levels) > 1:
            frame.columns = pandas.MultiIndex.from_tuples(self.names, names=self.levels)
        else:
            frame.columns = pandas.Index(self.names, name=self.levels[0])
        return frame


_ALLOW = 'Impute or drop such rows, or set handle_missing="category".'
_SMOOTH = 'Drop such rows, or set handle_unknown="smooth".'


def _narrow(array: NDArray, dtype: np.dtype) -> NDArray:
    """Return an array in a dtype, if that can hold it: booleans that were not seen and
    integers beyond a narrow dtype stay as wide as they are.
    """
    if array.dtype.kind == dtype.kind and dtype.kind in "US":
        width = np.strings.str_len(array).max(initial=1)
        return array.astype(f"{array.dtype.kind}{width}")
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        return array
    narrow = array.astype(dtype)
    return narrow if np.array_equal(narrow, array) else array


def _not_numbers(strange: Sequence[tuple[Column, Exception]], owner: str) -> ValueError:
    if all(column.kind > 0 for column, _ in strange):
        column, error = strange[0]
        return ValueError(f"Column {column.name!r} cannot be coded: {error}")
    names = ", ".join(repr(c.name) for c, _ in strange if c.kind <= 0)
    return ValueError(
        f"{owner} needs numbers, but column(s) {names} are not numeric. Encode (for "
        "example with sklearn.preprocessing.OrdinalEncoder) or drop such columns. "
        f"({strange[0][1]})"
    )
