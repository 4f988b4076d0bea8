"""Reading tables: to a finite C-ordered matrix, or an error that says what to do."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from destructors.base_distributions import (
    ChowLiuTree,
    IndependentCategorical,
    JointDistribution,
)
from destructors.maps import Schema
from destructors.maps._checks import check_codes, check_finite
from destructors.maps._values import (
    columns_of,
    is_temporal,
    library_of,
    names_of,
    read_numbers,
)

__all__ = ["check_table", "read_latent", "read_rows", "take_columns"]


def check_table(estimator: Any, X: Any) -> Any:
    """Return a frame as it is, and all else as an array of two dimensions.

    Raises
    ------
    ValueError, TypeError
        If it is no table: sparse, complex, or of another number of dimensions.
    """
    if library_of(X) != "array":
        return X
    # How many rows and columns there must be, and of what, is said later.
    return check_array(
        X,
        dtype=None,
        ensure_all_finite=False,
        ensure_min_samples=0,
        ensure_min_features=0,
        estimator=estimator,
        input_name="X",
    )


def take_columns(X: Any, columns: NDArray) -> Any:
    """Return some of the columns of a frame or an array, by position."""
    match library_of(X):
        case "pandas":
            return X.iloc[:, columns]
        case "polars":
            return X[:, np.asarray(columns).tolist()]
    return X[:, columns]


def read_rows(
    estimator: Any,
    X: Any,
    schema: Schema | None,
    *,
    reset: bool,
    name: str = "X",
) -> NDArray:
    """Validate data.

    Parameters
    ----------
    estimator : Destructor
        Whom the data are given to.
    X : array-like of shape (n_samples, n_features)
        The data.
    schema : Schema or None
        What the columns of the training data were like.
    reset : bool
        Whether these are the training data.
    name : str, default="X"
        What messages call them.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        Finite and C-ordered: int64 if all columns are codes, else float64.

    Raises
    ------
    ValueError, TypeError
        If they are no table of the columns that the schema knows.
    """
    owner = type(estimator).__name__
    with _called(name):
        if schema is not None and schema.has_categories:
            X = check_table(estimator, X)
            validate_data(estimator, X, reset=reset, skip_check_array=True)
            # For its messages about empty tables.
            check_array(
                np.broadcast_to(0.0, X.shape),
                ensure_min_samples=estimator._min_samples if reset else 1,
                estimator=estimator,
                input_name="X",
            )
            return schema.encode(X, name=name, owner=owner, training=reset)
        rows = _read_numbers(estimator, X, reset)
        if schema is not None and not reset:
            schema.check_names(X, name)
        names = getattr(estimator, "feature_names_in_", np.arange(rows.shape[1]))
        check_finite(rows, names, name, owner)
        if schema is None and not reset:
            # A layer of a stack that was fitted on codes knows these alone.
            sizes = _code_sizes(
                getattr(estimator, "base_distribution_", None), rows.shape[1]
            )
            return check_codes(rows, sizes, name) if sizes.any() else rows
    return rows


def _read_numbers(estimator: Any, X: Any, reset: bool) -> NDArray:
    try:
        if _columns_without_numbers(X, dates=True):
            raise TypeError("dates and durations are no numbers")
        return validate_data(
            estimator,
            X,
            reset=reset,
            dtype=np.float64,
            order="C",
            ensure_all_finite=False,
            ensure_min_samples=estimator._min_samples if reset else 1,
        )
    except (TypeError, ValueError) as error:
        strange = _columns_without_numbers(X)
        if not strange:
            raise
        is_type = isinstance(error, TypeError) and library_of(X) == "array"
        raise (TypeError if is_type else ValueError)(
            f"{type(estimator).__name__} needs numbers, but column(s) "
            f"{', '.join(map(repr, strange))} are not numeric. Encode (for example "
            "with sklearn.preprocessing.OrdinalEncoder) or drop such columns. "
            f"({error})"
        ) from error


def _columns_without_numbers(X: Any, dates: bool = False) -> list:
    """Return the names of the columns that hold something else than numbers, or only
    of those with dates and durations.
    """
    if library_of(X) == "array":
        X = np.asarray(X) if isinstance(X, list | np.ndarray) else np.empty((0, 0))
        if X.ndim != 2 or X.dtype.kind not in "OUSmM":
            return []
    strange = []
    for name, column in zip(names_of(X), columns_of(X), strict=True):
        if dates and not is_temporal(column):
            continue
        try:
            read_numbers(column)
        except (TypeError, ValueError):
            strange.append(name)
    return strange


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Let messages call data by their name, where they say X."""
    if name == "X":
        yield
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(_rename(str(error), name)) from error
    for warning in caught:
        message = _rename(str(warning.message), name)
        warnings.warn(message, warning.category, stacklevel=4)


def _rename(message: str, name: str) -> str:
    if name in message:
        return message
    renamed = re.sub(r"(^|^Input |passed for )X\b", rf"\g<1>{name}", message)
    return renamed if renamed != message else f"{name}: {message}"


def read_latent(
    estimator: Any, Z: Any, schema: Schema | None, base_distribution: Any
) -> NDArray:
    """Validate latent rows.

    Parameters
    ----------
    estimator : Destructor
        Whom they are given to.
    Z : array-like of shape (n_samples, n_features)
        Latent rows.
    schema : Schema or None
        What the columns of the training data were like.
    base_distribution : Distribution
        It tells which columns are codes.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        Int64 if all columns are codes, else float64.

    Raises
    ------
    ValueError
        If they are not finite, of another width, or codes are expected.
    """
    sizes = _code_sizes(base_distribution, estimator.n_features_in_)
    dtype = None if sizes.any() else np.float64
    rows: NDArray = check_array(Z, dtype=dtype, order="C", input_name="Z")
    if rows.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"Z has {rows.shape[1]} features, but {type(estimator).__name__} is "
            f"expecting {estimator.n_features_in_} features as input."
        )
    if not sizes.any():
        return rows
    rows = check_codes(rows, sizes, "Z")
    return rows if rows.dtype == np.int64 else rows.astype(np.float64)


def _code_sizes(base: Any, n_features: int) -> NDArray:
    """Return the number of codes of each latent column; 0 for numbers."""
    sizes = np.zeros(n_features, dtype=np.int64)
    if isinstance(base, ChowLiuTree | IndependentCategorical):
        sizes[:] = [np.shape(p)[-1] for p in base.probabilities]
    elif isinstance(base, JointDistribution):
        for part, columns in zip(base.distributions, base.groups, strict=True):
            sizes[columns] = _code_sizes(part, len(columns))
    return sizes
