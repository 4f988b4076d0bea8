"""What the columns of a table were like, so that rows come back as they went in."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import _column
from destructors.maps._checks import check_codes, check_finite, list_columns
from destructors.maps._column import MISSING, UNSEEN, Column
from destructors.maps._map import Data

# What has no code, what a message calls it, and what would give it one.
_STRANGE = (
    (MISSING, "NaN or another missing value", 'handle_missing="category"'),
    (UNSEEN, "categories that were not seen in fit", 'handle_unknown="smooth"'),
)


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
    """

    columns: tuple[Column, ...]
    container: str

    def is_valid(self) -> bool:
        """Return whether it is a table of a kind that there is, with categories that
        such a table can hold: an error says so otherwise.
        """
        if self.container not in ("array", "pandas", "polars"):
            return False
        for j, column in enumerate(self.columns):
            if column.kind > 0:
                alone = self.take([j])
                alone.encode(alone.decode(np.arange(column.kind)[:, None]))
        return True

    @staticmethod
    @lru_cache(maxsize=16)
    def of_numbers(n_features: int) -> "Schema":
        """Return the schema of an array of continuous numbers."""
        numbers = tuple(Column(j, 0, "float64") for j in range(n_features))
        return Schema(numbers, "array")

    @staticmethod
    def of_named(names: Any, n_features: int) -> "Schema":
        """Return the schema of a table of continuous numbers; None are no names."""
        if names is None:
            return Schema.of_numbers(n_features)
        numbers = tuple(Column(str(name), 0, "float64") for name in names)
        return Schema(numbers, "pandas")

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
    def unknown(self) -> NDArray:
        """Code of what was not seen, of each column; -1 without one."""
        return np.array([column.unknown for column in self.columns], dtype=np.int64)

    @cached_property
    def categories(self) -> list[NDArray]:
        """Values of each categorical column, that for what was not seen left out."""
        return [
            column.table[: column.kind - (column.unknown >= 0)]
            for column in self.columns
            if column.kind > 0
        ]

    @cached_property
    def _ranges(self) -> NDArray | None:
        """First category of each column and their number, if all columns count up."""
        if not all(column.kind > 0 and column.counts_up for column in self.columns):
            return None
        known = [column.values for column in self.columns]
        return np.array([(int(values[0]), len(values)) for values in known]).T

    def take(self, columns: Any) -> "Schema":
        """Return the schema of some of the columns, by position."""
        return Schema(tuple(self.columns[int(j)] for j in columns), self.container)

    # ------------------------------------------------------------------ in

    def encode(
        self,
        X: Any,
        *,
        name: str = "X",
        owner: str = "Density",
        training: bool = False,
        may_miss: bool = False,
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
        may_miss : bool, default=False
            Whether missing values are let through, as NaN.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            C-ordered; of int64 where all columns are categorical, else of float64.

        Raises
        ------
        ValueError, TypeError
            If columns are others than in fit or in another order, numbers are not
            finite, or categories are missing or unknown and have no code.
        """
        is_array = _column.library_of(X) == "array"
        X = np.asarray(X) if is_array else X
        if len(X.shape) != 2 or X.shape[1] != len(self):
            raise ValueError(
                f"{name} must have the shape (n_samples, {len(self)}), got {X.shape}."
            )
        if not is_array and self.container != "array":
            self._check_names(_column.names_of(X), name)
        if is_array and X.dtype.kind in "biuf" and (self.kinds <= 0).all():
            rows = np.ascontiguousarray(X, dtype=np.float64)
            check_finite(rows, self.names, name, owner, may_miss)
            return rows
        if is_array and np.can_cast(X.dtype, np.int64) and self._ranges is not None:
            first, size = self._ranges
            codes = np.subtract(X, first, order="C")
            if ((codes >= 0) & (codes < size)).all():
                return codes
        rows = self._encode_columns(X, owner, is_array)
        if may_miss:
            missing = (rows == MISSING) & (self.kinds > 0)
            rows = np.where(missing, np.nan, rows) if missing.any() else rows
        check_finite(rows, self.names, name, owner, may_miss)
        if rows.size and np.fmin.reduce(rows, axis=None) < 0:
            if training:
                rows[(rows == UNSEEN) & (self.kinds > 0)] = 0
            self._check_codes(rows, name)
        return rows

    def _check_codes(self, rows: NDArray, name: str) -> None:
        """Raise ValueError if a category is missing or unknown and has no code."""
        for code, what, setting in _STRANGE:
            bad = (rows == code) & (self.kinds > 0)
            if bad.any():
                raise ValueError(
                    f"Input {name} contains {what} in {bad.any(axis=1).sum()} row(s); "
                    f"column(s): {list_columns(bad, self.names)}. Drop or replace such "
                    f"values, or set {setting}."
                )

    def _check_names(self, given: list, name: str) -> None:
        """Raise ValueError if names are not those of the fit, in their order."""
        # As text, NaN is itself.
        known = self.names
        shuffled = sorted(map(repr, given)) == sorted(map(repr, known))
        are_texts = all(isinstance(own, str) for own in known)
        if repr(given) != repr(known) and (shuffled or are_texts):
            how = "in another order than in fit" if shuffled else "not those of the fit"
            raise ValueError(f"The columns of {name} are {how}: {given}, not {known}.")

    def _encode_columns(self, X: Any, owner: str, is_array: bool) -> NDArray:
        parts: list[NDArray] = []
        strange: dict[str, Exception] = {}
        for column, part in zip(self.columns, _column.columns_of(X), strict=True):
            try:
                parts.append(column.encode(part))
            except (TypeError, ValueError) as error:
                if column.kind > 0:
                    raise ValueError(
                        f"Column {column.name!r} cannot be coded: {error}"
                    ) from error
                strange[repr(column.name)] = error
        if not strange:
            return np.ascontiguousarray(np.stack(parts, axis=1))
        first = next(iter(strange.values()))
        advice = (
            "Give categories to destructors.compose.CategoryDequantizer first, encode "
            "those that have an order (sklearn.preprocessing.OrdinalEncoder),"
        )
        if isinstance(first, TypeError):
            advice = "Convert to numbers (for example to seconds since a date)"
        kind = TypeError if is_array and isinstance(first, TypeError) else ValueError
        raise kind(
            f"{owner} needs numbers, but column(s) {', '.join(strange)} are not "
            f"numeric. {advice} or drop such columns. ({first})"
        ) from first

    def is_unknown(self, X: NDArray) -> NDArray:
        """Return which rows have a code that stands for what was not seen."""
        return ((self.unknown == X) & (self.unknown >= 0)).any(axis=1)

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
        if self.container == "array" and self._ranges is not None:
            first, size = self._ranges
            if X.dtype == np.int64 and ((X >= 0) & (size > X)).all():
                return (X + first).astype(self.columns[0].dtype, copy=False)
        check_codes(X, np.maximum(self.kinds, 0), "X")
        module = None
        if self.container != "array":
            with suppress(ImportError):
                module = import_module(self.container)
        is_float = all(c.dtype == "float64" and c.values is None for c in self.columns)
        if is_float and module is not None and self.container == "pandas":
            return module.DataFrame(X.copy(), columns=self.names)
        parts = [
            column.decode(part, module)
            for column, part in zip(self.columns, X.T, strict=True)
        ]
        if module is None:
            return self._as_array(parts)
        return module.DataFrame(dict(zip(self.names, parts, strict=True)))

    def _as_array(self, parts: list[NDArray]) -> NDArray:
        alike = all(_column.comparable(part, parts[0]) for part in parts)
        is_coded = (self.kinds > 0).all()
        if not alike or (is_coded and self.container != "array"):
            return np.stack([part.astype(object) for part in parts], axis=1)
        array = np.stack(parts, axis=1)
        if not is_coded:
            return array.astype(np.float64)
        # Values that were not seen need not fit into the dtype.
        narrow = array.astype(self.columns[0].dtype, copy=False)
        fits = narrow is array or ((narrow == array) | (array != array)).all()
        return narrow if fits else array
