"""Which columns of a table are categories."""

from typing import Any

import numpy as np

from destructors._compat import get_column_indices
from destructors.compose._categories import holds_numbers
from destructors.table import check_table


def find_categorical(estimator: Any, X: Any, given: Any) -> list[int]:
    """Return the positions of the columns that are categories.

    Parameters
    ----------
    estimator : Destructor
        Whom the table is given to.
    X : DataFrame or array-like of shape (n_samples, n_features)
        The table.
    given : "from_dtype", None, or array-like of bool, int or str
        Parameter ``categorical_features`` of `TreeFlow` and `MixtureDensity`.

    Returns
    -------
    columns : list of int

    Raises
    ------
    ValueError
        If a mask is of another length, or there is no such column.
    """
    table = check_table(estimator, X)
    if given is None:
        return []
    if isinstance(given, str):
        dtypes = enumerate(table.dtypes if hasattr(table, "columns") else [])
        return [j for j, dtype in dtypes if not holds_numbers(dtype)]
    key = np.asarray(given)
    if key.dtype.kind == "b":
        if key.shape != (table.shape[1],):
            raise ValueError(
                f"categorical_features is a mask of the shape {key.shape}, but there "
                f"are {table.shape[1]} columns."
            )
        return np.flatnonzero(key).tolist()
    if not key.size:
        return []
    try:
        return sorted(set(get_column_indices(table, key.tolist())))
    except (ValueError, IndexError, TypeError) as error:
        raise ValueError(f"categorical_features: {error}") from error
