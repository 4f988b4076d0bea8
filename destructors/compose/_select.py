"""Columns of a table by name, position, mask or callable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors._compat import get_column_indices

__all__ = ["find_columns"]


def find_columns(table: Any, key: Any, what: str) -> NDArray:
    """Return the positions of columns.

    Parameters
    ----------
    table : DataFrame or ndarray of shape (n_samples, n_features)
        A table, of pandas or polars.
    key : object
        A name or position, a list or slice of these, a boolean mask, or a callable that
        takes the table and gives any of these.
    what : str
        What a message calls them.

    Returns
    -------
    positions : ndarray of int

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if callable(key):
        key = key(table)
    try:
        found = get_column_indices(table, key)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{what} ({key!r}) are not in X of {table.shape[1]} feature(s): {error}"
        ) from error
    return np.atleast_1d(np.asarray(found, dtype=np.intp))
