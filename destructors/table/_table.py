"""Tables: what their columns are like, and their rows as a finite C-ordered matrix."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from destructors._compat import check_sample_weight
from destructors.maps import Column, Schema
from destructors.maps._checks import check_codes
from destructors.maps._column import UNSEEN
from destructors.maps._values import (
    columns_of,
    dtype_name,
    library_of,
    names_of,
    numpy_dtype,
    plain,
    read_values,
)
from destructors.rows import CONTINUOUS, INTEGER


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


def check_table(estimator: Any, X: Any, name: str = "X") -> Any:
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
        input_name=name,
    )


def take_columns(X: Any, columns: NDArray) -> Any:
    """Return some of the columns of a frame or an array, by position."""
    if library_of(X) == "pandas":
        return X.iloc[:, columns]
    return X[:, np.asarray(columns).tolist()]


# ---------------------------------------------------------------------- columns


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
    if sample_weight is not None:
        kept = check_sample_weight(sample_weight, X, ensure_non_negative=True) > 0
    columns = []
    for j, (name, part) in enumerate(zip(names_of(X), columns_of(X), strict=True)):
        if j not in categorical:
            columns.append(_number_column(name, part, library))
            continue
        try:
            columns.append(_category_column(name, part, kept, categorical[j]))
        except (TypeError, ValueError) as error:
            raise type(error)(f"Column {name!r} cannot be coded: {error}") from error
    return Schema(tuple(columns), library)


def _number_column(name: Any, part: Any, library: str) -> Column:
    if library == "array":
        return Column(name, CONTINUOUS, "float64")
    dtype, values = dtype_name(part), None
    if dtype == "category":
        values = read_values(part)[0]
        # Of anything else than numbers, the rows will not be read.
        values = values if values.dtype.kind in "biuf" and len(values) else None
    kind = INTEGER if numpy_dtype(dtype).kind in "iu" else CONTINUOUS
    return Column(name, kind, dtype, values, ordered=_is_ordered(part))


def _category_column(name: Any, part: Any, kept: NDArray, how: Categorical) -> Column:
    values, place = read_values(part)
    values, dtype = plain(values), dtype_name(part)
    declared = how.categories
    if declared is None and dtype in ("category", "Enum"):
        declared = values
    here = np.flatnonzero(kept) if place is None else place[kept]
    if declared is None:
        seen = np.bincount(here[here >= 0], minlength=len(values)) > 0
        known = np.unique(values[seen])
    else:
        known = _read_declared(declared)
    size, missing, unknown = len(known), -1, -1
    may_miss = declared is not None or bool((here < 0).any())
    if how.handle_missing == "category" and may_miss:
        missing, size = size, size + 1
    is_full = known.dtype.kind == "b" and len(known) == 2
    if how.handle_unknown == "smooth" and not is_full:
        unknown, size = size, size + 1
    # Of a column without any value, the rows will not be read.
    kind = max(size, 1)
    column = Column(name, kind, dtype, known, missing, unknown, _is_ordered(part))
    if how.categories is not None:
        strange = (column.encode(part) == UNSEEN) & kept
        if strange.any():
            raise ValueError(
                "it has values that are not among the categories in "
                f"{strange.sum()} row(s). Declare them, or drop such rows."
            )
    return column


def _is_ordered(column: Any) -> bool:
    return bool(getattr(column.dtype, "ordered", False))


def _read_declared(categories: Any) -> NDArray:
    known = np.arange(categories) if np.ndim(categories) == 0 else categories
    if np.ndim(known) != 1 or not len(known):
        raise ValueError("its categories are not a list of values.")
    known = plain(known)
    if len(np.unique(known)) < len(known):
        raise ValueError("a category is declared twice.")
    return known


# ---------------------------------------------------------------------- rows


def read_rows(
    estimator: Any, X: Any, schema: Schema | None, *, reset: bool, name: str = "X"
) -> NDArray:
    """Return validated data.

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
    with _called(name):
        X = check_table(estimator, X, name)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        fewest = estimator._min_samples if reset else 1
        if len(X) < fewest or not X.shape[1]:
            # For its message.
            check_array(
                np.zeros(X.shape), ensure_min_samples=fewest, estimator=estimator
            )
        columns = Schema.of_numbers(X.shape[1]) if schema is None else schema
        owner = type(estimator).__name__
        rows = columns.encode(X, name=name, owner=owner, training=reset)
        base = getattr(estimator, "base_distribution_", None)
        if schema is None and not reset and base is not None:
            # A layer of a stack that was fitted on codes knows these alone.
            return check_codes(rows, base.n_categories, name)
    return rows


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Let messages of scikit-learn, which say X, call data by their name."""
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
    return name + message[1:] if message.startswith("X ") else f"{name}: {message}"


def read_latent(
    estimator: Any, Z: Any, schema: Schema | None, base_distribution: Any
) -> NDArray:
    """Return validated latent rows.

    Parameters
    ----------
    estimator : Destructor
        Whom they are given to.
    Z : array-like of shape (n_samples, n_features)
        Latent rows.
    schema : Schema or None
        What the columns of the training data were like.
    base_distribution : Distribution or None
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
    d = estimator.n_features_in_
    sizes = getattr(base_distribution, "n_categories", np.zeros(d))
    dtype = None if sizes.any() else np.float64
    rows: NDArray = check_array(Z, dtype=dtype, order="C", input_name="Z")
    if rows.shape[1] != d:
        raise ValueError(
            f"Z has {rows.shape[1]} features, but {type(estimator).__name__} is "
            f"expecting {d} features as input."
        )
    rows = check_codes(rows, sizes, "Z")
    return rows if rows.dtype == np.int64 else rows.astype(np.float64, copy=False)
