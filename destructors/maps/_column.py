"""What one column of a table was like: its name, its dtype, the values of its codes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Data
from destructors.maps._values import comparable, numpy_dtype, read_numbers, read_values

# What stands for a code where there is none.
MISSING, UNSEEN = -1, -2


@dataclass(frozen=True, eq=False, repr=False)
class Column(Data):
    """What one column was like.

    Parameters
    ----------
    name : str, int, float or None
        Its name in a frame, or its number in an array.
    kind : int
        0 for continuous numbers, -1 for integers, k for categories with k codes.
    dtype : str
        Name of the dtype.
    values : ndarray of shape (n_values,) or None
        Values of the codes 0, 1, …, or the numbers that a categorical dtype lists,
        without objects; None for all other numbers.
    missing, unknown : int
        Code of a missing value and of one that was not seen; -1 without such a code.
    ordered : bool
        Whether the dtype says that its categories are in an order.
    """

    name: Any
    kind: int
    dtype: str
    values: NDArray | None = None
    missing: int = -1
    unknown: int = -1
    ordered: bool = False

    @property
    def known(self) -> NDArray:
        """The values, where there are any."""
        assert self.values is not None
        return self.values

    @cached_property
    def _sorted(self) -> tuple[NDArray, NDArray]:
        order = np.argsort(self.known, kind="stable")
        return order, self.known[order]

    @cached_property
    def table(self) -> NDArray:
        """The value of each code; a value unlike all others where none was seen."""
        known = self.known
        kind = known.dtype.kind
        table = list(known) if kind in "mM" else known.tolist()
        if self.missing >= 0:
            blank = known.dtype.type("NaT") if kind in "mM" else None
            table.append(np.nan if kind in "iuf" else blank)
        if self.unknown >= 0:
            table.append(_another(known))
        return np.array(table, dtype=object if None in table else None)

    # ------------------------------------------------------------------ in

    def encode(self, column: Any) -> NDArray:
        """Return numbers as float64, NaN where one is missing, or the codes of values.

        Parameters
        ----------
        column : ndarray, pandas.Series or polars.Series of length n_samples

        Returns
        -------
        encoded : ndarray of shape (n_samples,), dtype float64 or int64
            -1 for a missing value and -2 for an unknown one, if these have no code.

        Raises
        ------
        TypeError, ValueError
            If the values are no numbers, or cannot stand for categories.
        """
        if self.kind <= 0:
            return read_numbers(column)
        values, place = read_values(column)
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise ValueError("it contains infinity (inf).")
        codes = self._look_up(values)
        # Without a code, a missing value has -1, which is MISSING. The last entry is
        # what the place -1 takes.
        return codes if place is None else np.append(codes, self.missing)[place]

    def _look_up(self, values: NDArray) -> NDArray:
        unseen = self.unknown if self.unknown >= 0 else UNSEEN
        if values.dtype == object:
            code_of = {value: code for code, value in enumerate(self.known.tolist())}
            return np.array([code_of.get(v, unseen) for v in values], dtype=np.int64)
        if not len(self.known) or not comparable(self.known, values):
            return np.full(len(values), unseen, dtype=np.int64)
        order, known = self._sorted
        place = np.minimum(np.searchsorted(known, values), len(known) - 1)
        return np.where(known[place] == values, order[place], unseen)

    # ------------------------------------------------------------------ out

    def decode(self, numbers: NDArray, module: Any) -> Any:
        """Return numbers rounded to what the dtype can hold, or the values of codes.

        Parameters
        ----------
        numbers : ndarray of shape (n_samples,)
        module : module or None
            pandas or polars, to make a column of; None for an array.
        """
        if self.values is None:
            rounded = _round(numbers, numpy_dtype(self.dtype))
            whole = module is None or rounded.dtype.name == self.dtype
            return rounded if whole else self._restore(rounded, module)
        codes = numbers.astype(np.int64) if self.kind > 0 else self._nearest(numbers)
        if module is None:
            return self.table[codes]
        if self.dtype == "object":
            return module.Series(self.table[codes].astype(object), dtype=object)
        if self.unknown >= 0 and (codes == self.unknown).any():
            # It need not fit the dtype: categories are all declared.
            return module.Series(self.table[codes])
        column = self._restore(self.known, module)
        place = module.Series(np.where(codes == self.missing, -1, codes))
        if module.__name__ == "pandas":
            return column.reindex(place).array
        return column.gather(place.set(place < 0, None))

    def _nearest(self, numbers: NDArray) -> NDArray:
        order, known = self._sorted
        middle = 0.5 * (known[1:].astype(np.float64) + known[:-1])
        return order[np.searchsorted(middle, numbers)]

    def _restore(self, values: NDArray, module: Any) -> Any:
        """Return plain values as a column of pandas or polars."""
        column, dtype = module.Series(values), self.dtype
        if dtype == "category":
            return column.astype(module.CategoricalDtype(values, self.ordered))
        if dtype == "Enum":
            return column.cast(module.Enum(values.tolist()))
        if dtype in ("object", "Datetime", "Duration"):
            # The unit is that of the values.
            return column
        if module.__name__ == "polars":
            return column.cast(getattr(module, dtype))
        is_zoned = dtype.startswith("datetime") and ", " in dtype
        return (column.dt.tz_localize("UTC") if is_zoned else column).astype(dtype)


def _round(numbers: NDArray, dtype: np.dtype) -> NDArray:
    """Return numbers rounded to what a boolean or integer dtype can hold."""
    if dtype.kind == "b":
        return numbers >= 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # The largest 64-bit integers are not float64 numbers.
        highest = np.nextafter(float(limits.max) + 1.0, 0.0)
        return np.rint(numbers).clip(float(limits.min), highest).astype(dtype)
    return numbers.astype(dtype) if dtype.kind == "f" else numbers


def _another(known: NDArray) -> Any:
    """Return a value that is not among those known, to stand for all such."""
    kind = known.dtype.kind
    if not len(known):
        return 0
    if kind == "b":
        return not known[0]
    if kind in "US":
        name = "unknown"
        while name in known.astype("U"):
            name += "_"
        return name if kind == "U" else name.encode()
    return known.max() + 1 if kind in "mMf" else int(known.max()) + 1
