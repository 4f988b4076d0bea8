"""What one column of a table was like: its name, its dtype, the values of its codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Data
from destructors.maps._restore import restore, restore_number
from destructors.maps._values import comparable, read_values

__all__ = ["MISSING", "UNSEEN", "Column"]

# What stands for a code where there is none.
MISSING, UNSEEN = -1, -2


@dataclass(frozen=True, eq=False, repr=False)
class Column(Data):
    """What one column was like.

    Parameters
    ----------
    name : str, int, float, bool, None or tuple of these
        Its name in a frame, or its number in an array.
    kind : int
        0 for continuous numbers, -1 for integers, k for categories with k codes.
    dtype : str
        Name of the dtype.
    values : ndarray of shape (n_values,) or None
        Values of the codes 0, 1, …, without objects; None for numbers.
    missing, unknown : int
        Code of a missing value and of one that was not seen; -1 without such a code.
    categories : ndarray or None
        What the dtype lists, for a categorical one.
    ordered : bool
        Whether these are in an order.
    """

    name: Any
    kind: int
    dtype: str
    values: NDArray | None = None
    missing: int = -1
    unknown: int = -1
    categories: NDArray | None = None
    ordered: bool = False

    @cached_property
    def first(self) -> int | None:
        """The value of code 0, if the others count up from there."""
        known = self.values
        if known is None or not len(known) or known.dtype.kind not in "iu":
            return None
        first = int(known[0])
        counts_up = np.array_equal(known, first + np.arange(len(known)))
        return first if counts_up else None

    @cached_property
    def _sorted(self) -> tuple[NDArray, NDArray]:
        order = np.argsort(self._known, kind="stable")
        return order, self._known[order]

    @cached_property
    def _known(self) -> NDArray:
        return cast(NDArray, self.values)

    @cached_property
    def table(self) -> NDArray:
        """The value of each code; a value unlike all others where none was seen."""
        known = self._known
        table = known.tolist() if known.dtype.kind not in "mM" else list(known)
        if self.missing >= 0:
            kind = known.dtype.kind
            table.append(
                np.nan
                if kind in "iuf"
                else known.dtype.type("NaT")
                if kind in "mM"
                else None
            )
        if self.unknown >= 0:
            table.append(_another(known))
        array = np.array(table) if None not in table else np.empty(len(table), object)
        array[:] = table
        return array

    def encode(self, column: Any) -> NDArray:
        """Return the codes of values; negative ones where there is none.

        Parameters
        ----------
        column : ndarray, pandas.Series or polars.Series of length n_samples

        Returns
        -------
        codes : ndarray of shape (n_samples,), dtype int64
            -1 for a missing value and -2 for an unknown one, if these have no code.
        """
        values, place = read_values(column)
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise ValueError("it contains infinity (inf).")
        codes = self._look_up(values)
        if place is None:
            return codes
        missing = self.missing if self.missing >= 0 else MISSING
        # The last entry is what -1 takes.
        return np.append(codes, missing)[place]

    def _look_up(self, values: NDArray) -> NDArray:
        unseen = self.unknown if self.unknown >= 0 else UNSEEN
        if values.dtype == object:
            code_of = {value: code for code, value in enumerate(self._known.tolist())}
            return np.array([code_of.get(v, unseen) for v in values], dtype=np.int64)
        if not len(self._known) or not comparable(self._known, values):
            return np.full(len(values), unseen, dtype=np.int64)
        order, known = self._sorted
        place = np.minimum(np.searchsorted(known, values), len(known) - 1)
        return np.where(known[place] == values, order[place], unseen)

    def decode(self, codes: NDArray, module: Any) -> Any:
        """Return the values of codes.

        Parameters
        ----------
        codes : ndarray of shape (n_samples,), dtype int64
        module : module or None
            pandas or polars; None for an array.
        """
        if module is None:
            return self.table[codes]
        if self.unknown >= 0 and (codes == self.unknown).any():
            # It need not fit the dtype: categories are all declared.
            return module.Series(self.table[codes])
        place = (
            codes if self.missing < 0 else np.where(codes == self.missing, -1, codes)
        )
        return restore(
            self._known, place, self.dtype, module, self.categories, self.ordered
        )

    def decode_numbers(self, numbers: NDArray, module: Any) -> Any:
        """Return numbers, rounded to what the dtype can hold."""
        if self.categories is None:
            column = restore_number(numbers, self.dtype)
            if module is None:
                return column
            series = module.Series(column)
            fits = self.dtype != "object" and module.__name__ == "pandas"
            return series.astype(self.dtype) if fits else series
        listed = np.sort(self.categories.astype(np.float64))
        nearest = np.searchsorted(0.5 * (listed[1:] + listed[:-1]), numbers)
        if module is None:
            return listed[nearest]
        values = listed.astype(self.categories.dtype)
        return restore(
            values, nearest, self.dtype, module, self.categories, self.ordered
        )


def _another(known: NDArray) -> Any:
    """Return a value that is not among those known, to stand for all such."""
    kind = known.dtype.kind
    if not len(known):
        return 0
    if kind == "b":
        return not known[0]
    if kind in "US":
        name = "unknown"
        while name.encode() in known.astype("S") if kind == "S" else name in known:
            name += "_"
        return name if kind == "U" else name.encode()
    return known.max() + 1 if kind in "mMf" else int(known.max()) + 1
