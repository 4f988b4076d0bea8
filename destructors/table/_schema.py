"""Learning what the columns of a table are like."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors._compat import check_sample_weight
from destructors.maps import Column, Schema
from destructors.maps._values import (
    columns_of,
    dtype_name,
    is_ordered,
    library_of,
    listed_categories,
    names_of,
    plain,
    read_values,
)
from destructors.rows import CONTINUOUS, INTEGER
from destructors.table._read import check_table

__all__ = ["Categorical", "learn_schema"]


class Categorical(NamedTuple):
    """How a column of categories is coded.

    Attributes
    ----------
    categories : array-like, int or None
        Those declared, or the number of codes; None for those in the training rows.
    handle_unknown : {"smooth", "error"}
        Whether there is a code for values that were not seen.
    handle_missing : {"error", "category"}
        Whether there is a code for missing values.
    """

    categories: Any = None
    handle_unknown: Literal["smooth", "error"] = "smooth"
    handle_missing: Literal["error", "category"] = "error"


def learn_schema(
    estimator: Any,
    X: Any,
    categorical: Mapping[int, Categorical],
    sample_weight: ArrayLike | None,
) -> Schema | None:
    """Return the schema of a table.

    Parameters
    ----------
    estimator : Destructor
        Whom the table is given to.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Training rows.
    categorical : mapping of int to Categorical
        Which columns are categories, by position, and how they are coded.
    sample_weight : array-like of shape (n_samples,) or None
        Rows of weight zero teach no categories.

    Returns
    -------
    schema : Schema or None
        None for an array of numbers.

    Raises
    ------
    ValueError, TypeError
        If a column cannot be coded, or has values that are not among those declared.
    """
    library = library_of(X)
    if library == "array" and not categorical:
        return None
    X = check_table(estimator, X)
    kept = np.ones(len(X), dtype=bool)
    if categorical and sample_weight is not None:
        weight = check_sample_weight(
            sample_weight, np.empty(len(X)), dtype=np.float64, ensure_non_negative=True
        )
        kept = weight > 0
    columns = []
    for j, (name, part) in enumerate(zip(names_of(X), columns_of(X), strict=True)):
        if j not in categorical:
            columns.append(_number_column(name, part, library))
            continue
        try:
            columns.append(_category_column(name, part, kept, categorical[j]))
        except (TypeError, ValueError) as error:
            raise type(error)(f"Column {name!r} cannot be coded: {error}") from error
    schema = Schema(tuple(columns), library, _levels(X))
    if any(how.categories is not None for how in categorical.values()):
        schema.check_declared(X, kept)
    return schema


def _levels(X: Any) -> tuple:
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(X, pandas.DataFrame):
        return (None,)
    known = (name if isinstance(name, str | int) else None for name in X.columns.names)
    return tuple(known)


def _number_column(name: Any, part: Any, library: str) -> Column:
    if library == "array":
        return Column(name, CONTINUOUS, "float64")
    kind = getattr(part.dtype, "kind", "O")
    if library == "polars":
        kind = "i" if part.dtype.is_integer() else "f"
    categories = None
    if kind == "O" and (listed := listed_categories(part)) is not None:
        # Of anything else than numbers, the rows will not be read.
        categories = listed if listed.dtype.kind in "iuf" and len(listed) else None
    return Column(
        name,
        INTEGER if kind in "iu" else CONTINUOUS,
        dtype_name(part),
        categories=categories,
        ordered=is_ordered(part),
    )


def _category_column(name: Any, part: Any, kept: NDArray, how: Categorical) -> Column:
    values, place = read_values(part)
    if values.dtype == object:
        values = plain(values)
    listed = listed_categories(part)
    declared = listed if how.categories is None else how.categories
    here = np.flatnonzero(kept) if place is None else place[kept]
    if declared is None:
        seen = np.zeros(len(values), dtype=bool)
        seen[here[here >= 0]] = True
        known = np.unique(values[seen])
    else:
        known = _declared(declared)
    missing = unknown = -1
    size = len(known)
    if how.handle_missing == "category" and (
        declared is not None or bool((here < 0).any())
    ):
        missing, size = size, size + 1
    if how.handle_unknown == "smooth" and not (
        known.dtype.kind == "b" and len(known) == 2
    ):
        unknown, size = size, size + 1
    return Column(
        name,
        # Of a column without any value, the rows will not be read.
        max(size, 1),
        dtype_name(part),
        known,
        missing,
        unknown,
        listed,
        is_ordered(part),
    )


def _declared(categories: Any) -> NDArray:
    known = np.arange(categories) if np.ndim(categories) == 0 else categories
    if np.ndim(known) != 1 or not len(known):
        raise ValueError("its categories are not a list of values.")
    known = plain(np.asarray(known, dtype=object) if isinstance(known, list) else known)
    if len(np.unique(known)) < len(known):
        raise ValueError("a category is declared twice.")
    return known
