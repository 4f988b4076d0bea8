"""Columns of NumPy, pandas and polars as plain values.

Plain values are an array of booleans, numbers, strings, bytes, dates or durations: no
objects, nothing of pandas or polars. These are not needed to import this module: who
has a frame has imported what made it, and who wants one back has to have it.
"""

from __future__ import annotations

import datetime
import importlib
import sys
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Library",
    "columns_of",
    "comparable",
    "dtype_name",
    "import_library",
    "is_ordered",
    "is_temporal",
    "library_of",
    "listed_categories",
    "names_of",
    "plain",
    "read_numbers",
    "read_values",
]

Library = Literal["array", "pandas", "polars"]

# Values that can be compared with one another.
_GROUPS = {**dict.fromkeys("biuf", "number"), "U": "text", "S": "bytes"}


def library_of(X: Any) -> Library:
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
    match library_of(X):
        case "pandas":
            return [X.iloc[:, j] for j in range(X.shape[1])]
        case "polars":
            return X.get_columns()
    return list(X.T)


def names_of(X: Any) -> list[Any]:
    """Return the names of the columns as plain scalars; for an array their numbers."""
    if library_of(X) == "array":
        return list(range(X.shape[1]))
    return [_plain_name(name) for name in X.columns]


def _plain_name(name: Any) -> Any:
    if isinstance(name, tuple):
        return tuple(map(_plain_name, name))
    if isinstance(name, np.generic):
        name = name.item()
    return name if isinstance(name, str | int | float | None) else str(name)


# ---------------------------------------------------------------------- dtypes


def dtype_name(column: Any) -> str:
    """Return the name of a column's dtype, by which `restore` finds it again.

    That of the categories stands in brackets behind "category" and "Enum".
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return {"U": "str", "S": "bytes"}.get(dtype.kind, str(dtype))
    if dtype.__class__.__module__.startswith("polars"):
        return _polars_name(dtype)
    return _pandas_name(dtype)


def _polars_name(dtype: Any) -> str:
    name = dtype.base_type().__name__
    known = (getattr(dtype, key, None) for key in ("time_unit", "time_zone"))
    inner = ", ".join(part for part in known if part is not None)
    return f"{name}[{inner}]" if inner else name


def _pandas_name(dtype: Any) -> str:
    pandas = sys.modules["pandas"]
    if isinstance(dtype, pandas.CategoricalDtype):
        inner = dtype.categories.dtype
        return (
            f"category[{inner if isinstance(inner, np.dtype) else _pandas_name(inner)}]"
        )
    for name in (str(dtype), f"{dtype}[{getattr(dtype, 'storage', None)}]"):
        try:
            if pandas.api.types.pandas_dtype(name) == dtype:
                return name
        except (TypeError, ValueError, NotImplementedError):
            continue
    return "str" if getattr(dtype, "kind", "O") == "U" else "object"


def listed_categories(column: Any) -> NDArray | None:
    """Return the categories that a column's dtype lists, in their order."""
    categories = getattr(column.dtype, "categories", None)
    if categories is None or dtype_name(column) == "Categorical":
        return None
    if hasattr(categories, "to_list") and not hasattr(categories, "get_indexer"):
        return plain(categories.to_list())
    return _read_pandas(sys.modules["pandas"].Series(categories))[0]


def is_ordered(column: Any) -> bool:
    """Tell whether a column's dtype says that its categories are in an order."""
    return bool(getattr(column.dtype, "ordered", False))


def is_temporal(column: Any) -> bool:
    """Tell whether a column's dtype is one of dates or durations."""
    if hasattr(column.dtype, "is_temporal"):
        return column.dtype.is_temporal()
    return getattr(column.dtype, "kind", "O") in "mM"


def comparable(first: NDArray, second: NDArray) -> bool:
    """Tell whether values of two arrays can be equal."""
    kinds = [_GROUPS.get(part.dtype.kind, part.dtype.kind) for part in (first, second)]
    return kinds[0] == kinds[1]


# ---------------------------------------------------------------------- reading


def read_values(column: Any) -> tuple[NDArray, NDArray | None]:
    """Return plain values, and which of them each row has.

    Parameters
    ----------
    column : ndarray, pandas.Series or polars.Series of length n_samples

    Returns
    -------
    values : ndarray of shape (n_values,)
        Plain values, or objects if they are of several types; they may repeat.
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
    if column.__class__.__module__.startswith("polars"):
        return _read_polars(column)
    return _read_pandas(column)


def _read_array(column: NDArray) -> tuple[NDArray, NDArray | None]:
    kind = column.dtype.kind
    if kind == "O":
        return _read_objects(column)
    if kind not in "biufmMUS":
        raise TypeError(f"its values are of the type {column.dtype}.")
    if kind in "fmM" and (missing := column != column).any():
        return column, np.where(missing, -1, np.arange(len(column)))
    return column, None


def _read_objects(column: NDArray) -> tuple[NDArray, NDArray]:
    """Return the different values of an array of objects."""
    found: dict[Any, int] = {}
    place = np.fromiter(
        (found.setdefault(value, len(found)) for value in column), np.int64, len(column)
    )
    present = np.array([not _is_missing(value) for value in found], dtype=bool)
    values = _plain_or_objects(
        [v for v, here in zip(found, present, strict=True) if here]
    )
    renumbered = np.where(present, np.cumsum(present) - 1, -1)
    return values, renumbered[place] if len(place) else place


def _is_missing(value: Any) -> bool:
    # NA of pandas differs from all others by being no truth value.
    return type(value).__name__ in ("NoneType", "NAType", "NaTType") or value != value


def _plain_or_objects(values: Any) -> NDArray:
    try:
        return plain(values)
    except TypeError:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array


def plain(values: Any) -> NDArray:
    """Return objects of one type, none missing, as an array without objects.

    Raises
    ------
    TypeError
        If they are of several types, or of one that no file can hold.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "biufmMUS":
        return values
    values = list(values)
    types = {type(value) for value in values}
    for kinds, dtype in _TYPES:
        if all(issubclass(t, kinds) for t in types):
            array = np.array(values, dtype=dtype)
            if array.dtype.kind in "biufmMUS" and array.ndim == 1:
                return array
    names = ", ".join(sorted(t.__name__ for t in types))
    raise TypeError(f"its values are of the type(s) {names}.")


_TYPES: list[tuple[Any, Any]] = [
    (str, str),
    ((bool, np.bool_), bool),
    ((bool, int, float, np.bool_, np.number), None),
    (bytes, bytes),
    (datetime.datetime, "M8[us]"),
    (datetime.date, "M8[D]"),
    (np.datetime64, None),
    (datetime.timedelta, "m8[us]"),
    (np.timedelta64, None),
]


def _read_pandas(column: Any) -> tuple[NDArray, NDArray | None]:
    pandas = sys.modules["pandas"]
    dtype = column.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        values = _read_pandas(pandas.Series(dtype.categories))[0]
        return values, column.cat.codes.to_numpy(np.int64)
    if getattr(dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return _read_array(column.to_numpy())
    inner = getattr(dtype, "numpy_dtype", np.dtype(object))
    if inner.kind == "f":
        return _read_array(column.to_numpy(dtype=inner, na_value=np.nan))
    if inner.kind in "biumM":
        present = column.notna().to_numpy(dtype=bool)
        values = column[present].to_numpy(dtype=inner)
        return values, np.where(present, np.cumsum(present) - 1, -1)
    place, unique = pandas.factorize(column)
    if isinstance(dtype, pandas.IntervalDtype | pandas.PeriodDtype):
        return np.array([str(value) for value in unique], dtype=str), place
    return _plain_or_objects(np.asarray(unique, dtype=object)), place


def _read_polars(column: Any) -> tuple[NDArray, NDArray | None]:
    polars = sys.modules["polars"]
    if column.dtype in (polars.String, polars.Categorical, polars.Enum):
        texts = column.cast(polars.String)
        unique = texts.drop_nulls().unique().sort()
        codes = texts.cast(polars.Enum(unique)).to_physical().cast(polars.Int64)
        return plain(unique.to_list()), codes.fill_null(-1).to_numpy()
    if not (column.dtype.is_numeric() or column.dtype.is_temporal()) and (
        column.dtype != polars.Boolean
    ):
        raise TypeError(f"its values are of the type {column.dtype}.")
    if getattr(column.dtype, "time_zone", None) is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if not column.null_count():
        return _read_array(column.to_numpy())
    present = column.is_not_null().to_numpy()
    values, place = _read_array(column.drop_nulls().to_numpy())
    whole = np.where(present, np.cumsum(present) - 1, -1)
    return values, whole if place is None else np.where(present, place[whole], -1)


def read_numbers(column: Any) -> NDArray:
    """Return a column of numbers as float64, NaN where one is missing.

    Raises
    ------
    TypeError, ValueError
        If it holds something else.
    """
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mMc":
        raise TypeError(f"its values are of the type {column.dtype}.")
    if column.__class__.__module__.startswith("polars"):
        polars = sys.modules["polars"]
        if not (column.dtype.is_numeric() or column.dtype == polars.Boolean):
            raise TypeError(f"its values are of the type {column.dtype}.")
        return column.cast(polars.Float64).to_numpy()
    if hasattr(column.dtype, "numpy_dtype"):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column, dtype=np.float64)
