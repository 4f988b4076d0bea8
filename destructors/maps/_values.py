"""Columns of NumPy, pandas and polars as plain values.

Plain values are an array of booleans, numbers, strings, bytes or dates: no objects,
nothing of pandas or polars. These are not needed to import this module: who has a frame
has imported what made it, and who wants one back has to have it.
"""

import datetime
import importlib
import re
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN = "biufmMUS"
# Dtypes that columns of pandas come back with; all others come back as objects.
_DTYPES = re.compile(
    r"(u?int|float)\d+|bool(ean)?|str(ing)?|category|(datetime|timedelta)64\[.+\]", re.I
)


def library_of(X: Any) -> str:
    """Return what a table is: a frame of pandas or of polars, or else an array."""
    for name in ("pandas", "polars"):
        module = sys.modules.get(name)
        if module is not None and isinstance(X, module.DataFrame):
            return name
    return "array"


def import_library(name: str) -> Any:
    """Return the module that makes frames, or None if there is none."""
    try:
        return None if name == "array" else importlib.import_module(name)
    except ImportError:
        return None


def columns_of(X: Any) -> list[Any]:
    """Return the columns of a frame or of a two-dimensional array."""
    if library_of(X) == "array":
        return list(X.T)
    return X.get_columns() if _is_polars(X) else [column for _, column in X.items()]


def names_of(X: Any) -> list[Any]:
    """Return the names of the columns, strings and numbers as they are and all else as
    text; for an array, their numbers.
    """
    if library_of(X) == "array":
        return list(range(X.shape[1]))
    names = [x.item() if isinstance(x, np.generic) else x for x in X.columns]
    return [x if isinstance(x, str | int | float | None) else str(x) for x in names]


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
        return _read_objects(column)
    if kind not in _PLAIN:
        raise TypeError(f"its values are of the type {column.dtype}.")
    if kind in "fmM" and (missing := column != column).any():
        return column, np.where(missing, -1, np.arange(len(column)))
    return column, None


def _read_objects(column: NDArray) -> tuple[NDArray, NDArray]:
    found: dict[Any, int] = {}
    place = np.fromiter(
        (found.setdefault(value, len(found)) for value in column), np.int64, len(column)
    )
    present = np.array([not _is_missing(value) for value in found], dtype=bool)
    values = [value for value, here in zip(found, present, strict=True) if here]
    renumbered = np.where(present, np.cumsum(present) - 1, -1)
    return plain(values, None), renumbered[place] if len(place) else place


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


_TYPES: list[tuple[Any, Any]] = [
    (str, str),
    ((bool, int, float, np.bool_, np.number), None),
    (bytes, bytes),
    ((datetime.date, np.datetime64), "M8"),
]


def read_numbers(column: Any) -> NDArray:
    """Return a column of numbers as float64, NaN where one is missing.

    Raises
    ------
    TypeError, ValueError
        If it holds something else.
    """
    dtype = column.dtype
    if _is_polars(column):
        is_number = dtype.is_numeric() or dtype == sys.modules["polars"].Boolean
    else:
        is_number = dtype.kind not in "mMc"
    if not is_number:
        raise TypeError(f"its values are of the type {dtype}.")
    if hasattr(dtype, "numpy_dtype"):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column, dtype=np.float64)
