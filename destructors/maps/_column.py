"""Columns of NumPy, pandas and polars: as plain values, as codes, and back.

Plain values are an array of booleans, numbers, strings, bytes or dates: no objects,
nothing of pandas or polars. These are not needed to import this module: who has a frame
has imported what made it, and who wants one back has to have it.
"""

import datetime
import math
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Data

# What stands for a code where there is none.
MISSING, UNSEEN = -1, -2
_PLAIN = "biufmMUS"
# Dtypes that columns of pandas come back with; all others come back as objects.
_DTYPES = re.compile(
    r"(u?int|float)\d+|bool(ean)?|str(ing)?|category|(datetime|timedelta)64\[.+\]", re.I
)
# Those of arrays, of polars, and what none of these is.
_OTHER_DTYPES = re.compile(
    r"object|<?[SU]\d+|\|S\d+|bytes\d+|complex\d+|Int\d+|UInt\d+|Float\d+|Boolean|"
    r"String|Categorical|Enum|Date|Datetime|Duration|Time|Binary|Null|Decimal|Object"
)
# Types of objects that one array can hold, and its dtype.
_TYPES: list[tuple[Any, Any]] = [
    (str, str),
    ((bool, int, float, np.bool_, np.number), None),
    (bytes, bytes),
    ((datetime.date, np.datetime64), "M8"),
]


# ---------------------------------------------------------------------- tables


def library_of(X: Any) -> str:
    """Return what a table is: a frame of pandas or of polars, or else an array.

    Raises
    ------
    TypeError
        If it is a table without rows, as polars makes them to be computed later.
    """
    for name in ("pandas", "polars"):
        module = sys.modules.get(name)
        if module is not None and isinstance(X, module.DataFrame):
            return name
    if type(X).__name__ == "LazyFrame":
        raise TypeError("A LazyFrame has no rows yet: give what its collect() returns.")
    return "array"


def columns_of(X: Any) -> list[Any]:
    """Return the columns of a frame or of a two-dimensional array."""
    if library_of(X) == "array":
        return list(np.ascontiguousarray(X.T))
    return X.get_columns() if _is_polars(X) else [column for _, column in X.items()]


def names_of(X: Any) -> list[Any]:
    """Return the names of the columns, strings and numbers as they are and all else as
    text; for an array, their numbers.
    """
    if library_of(X) == "array":
        return list(range(X.shape[1]))
    return [x if isinstance(x, str | int | float | None) else str(x) for x in X.columns]


# ---------------------------------------------------------------------- dtypes


def dtype_name(column: Any) -> str:
    """Return the name of the dtype that a column is to come back with."""
    if _is_polars(column):
        return column.dtype.base_type().__name__
    name = str(column.dtype).removesuffix("[pyarrow]")
    is_known = isinstance(column, np.ndarray) or _DTYPES.fullmatch(name)
    return name if is_known else "object"


def numpy_dtype(name: str) -> np.dtype:
    """Return the dtype of NumPy that holds the values of one of pandas or polars."""
    try:
        return np.dtype(name.lower().replace("boolean", "bool"))
    except TypeError:
        return np.dtype(object)


def comparable(first: NDArray, second: NDArray) -> bool:
    """Return whether values of two arrays can be equal."""
    kinds = {first.dtype.kind, second.dtype.kind}
    return len(kinds) == 1 or kinds <= set("biuf")


def _is_polars(column: Any) -> bool:
    return column.__class__.__module__.startswith("polars")


# ---------------------------------------------------------------------- reading


def read_values(column: Any) -> tuple[NDArray, NDArray | None]:
    """Return plain values, and which of them each row has.

    Parameters
    ----------
    column : ndarray, pandas.Series or polars.Series of length n_samples

    Returns
    -------
    values : ndarray of shape (n_values,)
        Plain values, or objects if they are of several types; they may repeat. If the
        dtype lists categories, these.
    place : ndarray of shape (n_samples,) or None
        Where the value of each row stands; -1 for a missing one. None if the values
        are those of the rows.

    Raises
    ------
    TypeError
        If there are values that cannot stand for categories, such as lists.
    """
    if isinstance(column, np.ndarray):
        return _read_array(column)
    return _read_polars(column) if _is_polars(column) else _read_pandas(column)


def _read_array(column: NDArray) -> tuple[NDArray, NDArray | None]:
    kind = column.dtype.kind
    if kind == "O":
        values = [v for v in dict.fromkeys(column) if not _is_missing(v)]
        code_of = {value: code for code, value in enumerate(values)}
        place = np.array([code_of.get(value, -1) for value in column], dtype=np.int64)
        return plain(values, None), place
    if kind not in _PLAIN:
        raise TypeError(f"its values are of the type {column.dtype}.")
    if kind in "fmM" and (missing := column != column).any():
        return column, np.where(missing, -1, np.arange(len(column)))
    return column, None


def _is_missing(value: Any) -> bool:
    # NA of pandas differs from all others by being no truth value.
    return type(value).__name__ in ("NoneType", "NAType", "NaTType") or value != value


def _read_pandas(column: Any) -> tuple[NDArray, NDArray | None]:
    pandas, dtype = sys.modules["pandas"], column.dtype
    # Times in a zone are based on those in UTC.
    base = getattr(dtype, "base", None)
    if isinstance(base, np.dtype) and base.kind != "O":
        return _read_array(column.to_numpy(dtype=base))
    if isinstance(dtype, pandas.CategoricalDtype):
        place, values = column.cat.codes.to_numpy(np.int64), dtype.categories
    else:
        place, values = pandas.factorize(column)
    if isinstance(values.dtype, pandas.IntervalDtype | pandas.PeriodDtype):
        values = values.astype(str)
    return plain(np.asarray(values), None), place


def _read_polars(column: Any) -> tuple[NDArray, NDArray | None]:
    polars = sys.modules["polars"]
    if column.dtype not in (polars.String, polars.Categorical, polars.Enum):
        return _read_array(column.to_numpy())
    texts = column.cast(polars.String)
    seen = texts.drop_nulls().unique().sort()
    values = column.dtype.categories if column.dtype == polars.Enum else seen
    codes = texts.cast(polars.Enum(values)).to_physical().cast(polars.Int64)
    return plain(values.to_list()), codes.fill_null(-1).to_numpy()


def plain(values: Any, what: str | None = "its values are") -> NDArray:
    """Return objects of one type, none missing, as an array without objects.

    Raises
    ------
    TypeError
        If they are of several types, or of one that no file can hold. Its message
        begins with ``what``; where this is None, they are left objects.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in _PLAIN:
        return values
    values = list(values)
    types = {type(value) for value in values}
    for kinds, dtype in _TYPES:
        if all(issubclass(t, kinds) for t in types):
            array = np.array(values, dtype=dtype)
            if array.dtype.kind in _PLAIN:
                return array
    if what is None:
        return np.fromiter(values, dtype=object, count=len(values))
    names = ", ".join(sorted(t.__name__ for t in types))
    raise TypeError(f"{what} of the type(s) {names}.")


def _read_numbers(column: Any) -> NDArray:
    """Return a column of numbers as float64, NaN where one is missing."""
    dtype = column.dtype
    if hasattr(dtype, "numpy_dtype") and dtype.kind not in "mMc":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.asarray(column)
    if values.dtype.kind in "mMc":
        raise TypeError(f"its values are of the type {dtype}.")
    return values.astype(np.float64, copy=False)


# ---------------------------------------------------------------------- columns


@dataclass(frozen=True, eq=False, repr=False)
class Column(Data):
    """What one column of a table was like.

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
        Code of a missing value and of one that was not seen, the same if none missing
        was seen; -1 without such a code.
    ordered : bool
        Whether the dtype says that its categories are in an order.
    """

    _any_dtype = ("values",)

    name: Any
    kind: int
    dtype: str
    values: Any = None
    missing: int = -1
    unknown: int = -1
    ordered: bool = False

    def is_valid(self) -> bool:
        """Return whether there is a code for each value, and a dtype of that name."""
        str(self.name).encode()
        extra = [code for code in (self.missing, self.unknown) if code != -1]
        # One for both.
        extra = extra[: 1 if self.missing == self.unknown else 2]
        if self.kind <= 0:
            listed = self.values is None or self._lists(0, "biuf")
            return self.kind >= -1 and listed and not extra and self._has_dtype()
        n_values = 0 if self.values is None else len(self.values)
        return (
            self._lists(self.kind > max(len(extra), 1), _PLAIN)
            and extra == list(range(n_values, n_values + len(extra)))
            and self.kind == max(n_values + len(extra), 1)
            and self._has_dtype()
        )

    def _lists(self, fewest: int, kinds: str) -> bool:
        values = self.values
        if not isinstance(values, np.ndarray) or values.ndim != 1:
            return False
        if len(values) < fewest or values.dtype.kind not in kinds:
            return False
        return len(np.unique(values)) == len(values) and bool((values == values).all())

    def _has_dtype(self) -> bool:
        name = self.dtype
        return bool(_DTYPES.fullmatch(name) or _OTHER_DTYPES.fullmatch(name))

    @cached_property
    def _order(self) -> NDArray:
        return np.argsort(self.values, kind="stable")

    @cached_property
    def counts_up(self) -> bool:
        """Whether the values are integers, each the one before and one."""
        is_integer = len(self.values) > 0 and np.can_cast(self.values.dtype, np.int64)
        return is_integer and bool((np.diff(self.values) == 1).all())

    @cached_property
    def table(self) -> NDArray:
        """The value of each code; a value unlike all others where none was seen."""
        kind, is_time = self.values.dtype.kind, self.values.dtype.kind in "mM"
        table = list(self.values) if is_time else self.values.tolist()
        if self.missing >= 0 and self.missing != self.unknown:
            blank = self.values.dtype.type("NaT") if is_time else None
            table.append(np.nan if kind in "iuf" else blank)
        if self.unknown >= 0:
            table.append(_another(self.values))
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
            return _read_numbers(column)
        values, place = read_values(column)
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise ValueError("it contains infinity (inf).")
        codes = self._look_up(values)
        # Without a code, a missing value has -1, which is MISSING. The last entry is
        # what the place -1 takes.
        return codes if place is None else np.append(codes, self.missing)[place]

    def _look_up(self, values: NDArray) -> NDArray:
        known = self.values
        unseen = self.unknown if self.unknown >= 0 else UNSEEN
        if self.counts_up and np.can_cast(values.dtype, np.int64):
            codes = values - np.int64(known[0])
            return np.where((codes >= 0) & (codes < len(known)), codes, unseen)
        if values.dtype == object:
            code_of = {value: code for code, value in enumerate(known.tolist())}
            return np.array([code_of.get(v, unseen) for v in values], dtype=np.int64)
        if not len(known) or not comparable(known, values):
            return np.full(len(values), unseen, dtype=np.int64)
        place = np.searchsorted(known, values, sorter=self._order)
        codes = self._order.take(place, mode="clip")
        return np.where(known[codes] == values, codes, unseen)

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
            return rounded if module is None else self._restore(rounded, module)
        codes = numbers.astype(np.int64, copy=False)
        if self.kind <= 0:
            known = self.values[self._order]
            middle = 0.5 * (known[1:].astype(np.float64) + known[:-1])
            codes = self._order[np.searchsorted(middle, numbers)]
        if module is None:
            return self.table[codes]
        if self.dtype == "object":
            return module.Series(self.table[codes].astype(object), dtype=object)
        if self.unknown >= 0 and (codes == self.unknown).any():
            # It need not fit the dtype: categories are all declared.
            return module.Series(self.table[codes])
        column = self._restore(self.values, module)
        place = module.Series(np.where(codes == self.missing, -1, codes))
        if module.__name__ == "pandas":
            return column.reindex(place).array
        return column.gather(place.set(place < 0, None))

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
    return numbers.astype(dtype, copy=False) if dtype.kind == "f" else numbers


def _another(known: NDArray) -> Any:
    """Return a value that is not among those known, to stand for all such; of two
    booleans, what is missing.
    """
    kind = known.dtype.kind
    if not len(known):
        return 0
    if kind == "b":
        return not known[0] if len(known) == 1 else None
    if kind in "US":
        name = "unknown"
        while name in known.astype("U"):
            name += "_"
        return name if kind == "U" else name.encode()
    if kind in "mM":
        return known.max() + 1
    largest = known.max().item()
    if kind == "f":
        # Beyond 2**53 a float and one are the same float.
        above = max(largest + 1, math.nextafter(largest, math.inf))
        is_held = above < math.inf
    else:
        above, is_held = largest + 1, largest < np.iinfo(np.int64).max
    # Where no number is larger: the least count that is free.
    taken = set(known.tolist())
    return above if is_held else next(n for n in count() if n not in taken)
