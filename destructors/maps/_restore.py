"""Plain values as columns of pandas and polars again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["restore", "restore_number"]


def restore(
    values: NDArray,
    place: NDArray,
    name: str,
    module: Any,
    categories: NDArray | None = None,
    ordered: bool = False,
) -> Any:
    """Return plain values as a column of a frame.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Plain values.
    place : ndarray of shape (n_samples,)
        Which of them each row has; -1 for a missing one.
    name : str
        Of the dtype, from `dtype_name`.
    module : module
        pandas or polars.
    categories : ndarray, default=None
        What the dtype lists.
    ordered : bool, default=False
        Whether in an order.

    Returns
    -------
    column : pandas.Series or polars.Series of length n_samples
    """
    if module.__name__ == "polars":
        column = _as_polars(values, name, module, categories)
        column = module.concat([column, module.Series([None], dtype=column.dtype)])
        return column.gather(np.where(place < 0, len(values), place))
    column = _as_pandas(values, name, module, categories, ordered)
    if column.dtype == object:
        # Taken from behind, a missing value is None.
        column = module.Series([*column, None], dtype=object).take(place)
    else:
        column = column.reindex(place)
    return column.reset_index(drop=True)


def _as_pandas(
    values: NDArray, name: str, pandas: Any, categories: NDArray | None, ordered: bool
) -> Any:
    if categories is not None:
        inner = name.removeprefix("category[").removesuffix("]")
        listed = pandas.Index(_as_pandas(categories, inner, pandas, None, False))
        column = _as_pandas(values, inner, pandas, None, False)
        return column.astype(pandas.CategoricalDtype(listed, ordered))
    if name.startswith("interval"):
        inner, closed = name[len("interval[") : -1].rsplit(", ", 1)
        ends = np.array([text[1:-1].split(", ") for text in values]).reshape(-1, 2)
        left, right = (pandas.Index(end.astype(object)).astype(inner) for end in ends.T)
        return pandas.Series(
            pandas.arrays.IntervalArray.from_arrays(left, right, closed)
        )
    column = pandas.Series(
        values.astype(object) if values.dtype.kind in "US" else values
    )
    if values.dtype.kind == "M" and ", " in name:
        column = column.dt.tz_localize("UTC")
    if name == "object":
        return pandas.Series(values.astype(object), dtype=object)
    return column.astype(name)


def _as_polars(
    values: NDArray, name: str, polars: Any, categories: NDArray | None
) -> Any:
    column = polars.Series(values.tolist() if values.dtype.kind in "US" else values)
    if categories is not None:
        return column.cast(polars.Enum(categories.tolist()))
    base, _, inner = name.removesuffix("]").partition("[")
    units = inner.split(", ") if inner else []
    dtype = getattr(polars, base)
    column = column.cast(dtype(units[0]) if units else dtype)
    if len(units) > 1:
        column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(units[1])
    return column


def restore_number(column: NDArray, name: str | None) -> NDArray:
    """Return numbers rounded to what a boolean or integer dtype can hold."""
    dtype = _numpy_dtype(name)
    if dtype is None or dtype.kind not in "biuf":
        return column
    if dtype.kind == "b":
        return column >= 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # The largest 64-bit integers are not float64 numbers.
        highest = np.nextafter(float(limits.max) + 1.0, 0.0)
        return np.rint(column).clip(float(limits.min), highest).astype(dtype)
    return column.astype(dtype)


def _numpy_dtype(name: str | None) -> np.dtype | None:
    if name is None:
        return None
    plain_name = name.split("[")[0].lower()
    try:
        return np.dtype("bool" if plain_name == "boolean" else plain_name)
    except TypeError:
        return None
