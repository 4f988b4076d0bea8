"""Tables: frames, names, categories and missing values, to rows and back."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors._compat import check_array, check_sample_weight, validate_data
from destructors.exceptions import DataWarning
from destructors.maps import Column, Schema, _column
from destructors.maps._checks import check_codes
from destructors.rows import CONTINUOUS, INTEGER, Rows
from destructors.rows._moments import reach_of_constant

# Rows of which a table has at least so many before equal columns are told.
_FEWEST_COPIED = 20
# Floats tell each integer from the next up to this one.
_LARGEST_COUNT = 2.0**53


class Categorical(NamedTuple):
    """How a column of categories is coded.

    Attributes
    ----------
    categories : array-like, int or None
        Those declared, or the number of codes; None for those in the training rows.
    handle_unknown : {"smooth", "error"}
        Whether there is a code for values that were not seen.
    handle_missing : {"error", "category"}
        Whether there is a code for missing values: one of their own if some are in the
        training rows, else that for values that were not seen.
    """

    categories: Any = None
    handle_unknown: Literal["smooth", "error"] = "smooth"
    handle_missing: Literal["error", "category"] = "error"


def check_table(estimator: Any, X: Any, name: str = "X", fewest: int = 0) -> Any:
    """Return a frame as it is, and all else as an array of two dimensions.

    Raises
    ------
    ValueError, TypeError
        If it is no table: sparse, complex, of another number of dimensions, without
        columns or with fewer rows than the ``fewest``, or if two columns have one name.
    """
    is_frame = _column.library_of(X) != "array"
    names = list(map(repr, X.columns)) if is_frame else []
    if len(set(names)) < len(names):
        twice = sorted({label for label in names if names.count(label) > 1})
        raise ValueError(
            f"{name} has several columns of the same name, {', '.join(twice)}."
        )
    table = check_array(
        # Of a frame, its shape: values are looked at column by column.
        np.broadcast_to(0.0, X.shape) if is_frame else X,
        dtype=None,
        ensure_all_finite=False,
        ensure_min_samples=fewest,
        estimator=estimator,
        input_name=name,
    )
    return X if is_frame else table


def take_columns(X: Any, columns: NDArray) -> Any:
    """Return some of the columns of a frame or an array, by position."""
    if _column.library_of(X) == "pandas":
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
    library = _column.library_of(X)
    if library == "array" and not categorical:
        return None
    X = check_table(estimator, X)
    kept = np.ones(len(X), dtype=bool)
    if sample_weight is not None:
        kept = check_sample_weight(sample_weight, X, ensure_non_negative=True) > 0
    columns = []
    for j, (name, part) in enumerate(
        zip(_column.names_of(X), _column.columns_of(X), strict=True)
    ):
        if j not in categorical:
            columns.append(_number_column(name, part, library))
            if getattr(estimator, "_may_miss", False) and _is_whole(part, columns[-1]):
                columns[-1] = replace(columns[-1], kind=INTEGER)
            continue
        try:
            columns.append(_category_column(name, part, kept, categorical[j]))
        except (TypeError, ValueError) as error:
            raise type(error)(f"Column {name!r} cannot be coded: {error}") from error
    return Schema(tuple(columns), library)


def _number_column(name: Any, part: Any, library: str) -> Column:
    if library == "array":
        return Column(name, CONTINUOUS, "float64")
    dtype, values = _column.dtype_name(part), None
    if dtype == "category":
        values = _column.read_values(part)[0]
        # Of anything else than numbers, the rows will not be read.
        values = values if values.dtype.kind in "biuf" and len(values) else None
    kind = INTEGER if _column.numpy_dtype(dtype).kind in "iu" else CONTINUOUS
    return Column(name, kind, dtype, values, ordered=_is_ordered(part))


def _is_whole(part: Any, column: Column) -> bool:
    """Return whether floats of a frame are integers with holes: pandas holds integers
    so where some are missing.
    """
    if column.dtype not in ("float64", "Float64") or column.values is not None:
        return False
    values = column.encode(part)
    known = values[~np.isnan(values)]
    # Beyond, all numbers are whole.
    is_whole = (np.abs(known) <= _LARGEST_COUNT).all() and (
        known == np.rint(known)
    ).all()
    return 0 < len(known) < len(values) and bool(is_whole)


def _category_column(name: Any, part: Any, kept: NDArray, how: Categorical) -> Column:
    values, place = _column.read_values(part)
    values, dtype = _column.plain(values), _column.dtype_name(part)
    here = np.flatnonzero(kept) if place is None else place[kept]
    here, misses = here[here >= 0], bool((here < 0).any())
    declares = how.categories is not None or dtype in ("category", "Enum")
    if how.categories is not None:
        known = _read_declared(how.categories)
    elif declares:
        known = values
    else:
        known = np.unique(values[np.bincount(here, minlength=len(values)) > 0])
    size, missing, unknown = len(known), -1, -1
    may_miss = how.handle_missing == "category"
    is_smooth = how.handle_unknown == "smooth"
    if may_miss and (misses or (declares and not is_smooth)):
        missing, size = size, size + 1
    # Beside two booleans there is nothing that was not seen, but what is missing.
    is_full = known.dtype.kind == "b" and len(known) == 2
    if is_smooth and (not is_full or (may_miss and declares and not misses)):
        unknown, size = size, size + 1
    if may_miss and missing < 0:
        # Not seen, like anything else that was not; and so it is not drawn.
        missing = unknown
    # Of a column without any value, the rows will not be read.
    kind = max(size, 1)
    column = Column(name, kind, dtype, known, missing, unknown, _is_ordered(part))
    if how.categories is not None:
        strange = (column.encode(part) == _column.UNSEEN) & kept
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
    known = _column.plain(known)
    if len(np.unique(known)) < len(known):
        raise ValueError("a category is declared twice.")
    return known


# ---------------------------------------------------------------------- rows


def check_columns(rows: Rows) -> None:
    """Refuse columns that float64 cannot hold, and warn of those that say the same.

    Raises
    ------
    ValueError
        As `check_range`.
    """
    check_range(rows)
    _warn_of_copies(rows)


def check_range(rows: Rows) -> None:
    """Refuse columns that float64 cannot hold.

    Raises
    ------
    ValueError
        If the largest number leaves no room beside a column for another as wide, or, of
        a constant, for one that can be told from it; it is named.
    """
    smallest, largest = rows.extremes
    with np.errstate(over="ignore"):
        size = np.maximum(-smallest, largest)
        reach = size + np.maximum(largest - smallest, reach_of_constant(size))
    # A column without any number has no reach: what is missing is told elsewhere.
    endless = np.flatnonzero(np.isinf(reach))
    if len(endless):
        j = endless[0]
        raise ValueError(
            f"Column {rows.name(j)} ranges from {smallest[j]:.3g} to {largest[j]:.3g}, "
            "too near the largest float64 to reach beyond. Divide it by a constant."
        )


def check_bounds(rows: Rows, bounds: Any) -> tuple[float, float]:
    """Return the parameter ``bounds``, between which all columns have to lie.

    Raises
    ------
    ValueError
        If it is no pair of finite numbers, the lower one first, or a column has values
        outside; it is named.
    """
    low, high = bounds
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"bounds must be (low, high), got {bounds!r}.")
    smallest, largest = rows.extremes
    outside = np.flatnonzero((smallest < low) | (largest > high))
    if len(outside):
        raise ValueError(
            f"Column {rows.name(outside[0])} has values outside bounds={bounds!r}."
        )
    return low, high


def _warn_of_copies(rows: Rows) -> None:
    """Warn if columns of numbers are equal: each copy adds nats without end.

    Constant columns are not meant, nor tables of few rows, where chance can do it, nor
    columns that have probabilities.
    """
    # Columns that differ mostly do so in few rows.
    few = rows.head(2 * _FEWEST_COPIED)
    if len(rows) < _FEWEST_COPIED or few.dtype != np.float64:
        return
    smallest, largest = rows.extremes
    copies: dict[bytes, list[int]] = {}
    for j, column in enumerate(few.T):
        if rows.kinds is not None and rows.kinds[j] != CONTINUOUS:
            continue
        copies.setdefault(column.tobytes(), []).append(j)
    for columns in copies.values():
        if len(columns) < 2 or not smallest[columns[0]] < largest[columns[0]]:
            continue
        others = rows.sum(_count_others, columns)
        same = [j for j, n_other in zip(columns, others, strict=True) if not n_other]
        if len(same) > 1:
            names = ", ".join(map(rows.name, same[:10]))
            warnings.warn(
                f"Columns {names} are equal: a density of them rises without end, so "
                "its nats mean little. Keep one of them; destructors.describe(X) says "
                "more.",
                DataWarning,
                stacklevel=5,
            )


def _count_others(rows: Rows, columns: list[int]) -> NDArray:
    """Return in how many rows columns differ from the first of them."""
    return (rows.values[:, columns] != rows.values[:, columns[:1]]).sum(axis=0)


def read_rows(
    estimator: Any, X: Any, *, reset: bool, name: str = "X", may_miss: bool = False
) -> NDArray:
    """Return validated data.

    Parameters
    ----------
    estimator : Destructor
        Whom the data are given to; it knows what the columns of the training data were
        like.
    X : array-like of shape (n_samples, n_features)
        The data.
    reset : bool
        Whether these are the training data.
    name : str, default="X"
        What messages call them.
    may_miss : bool, default=False
        Whether missing values are let through, as NaN.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        Finite, or NaN where a value is missing, and C-ordered: int64 if all columns
        are codes, else float64.

    Raises
    ------
    ValueError, TypeError
        If they are no table of the columns that the schema knows.
    """
    if isinstance(X, Rows):
        # Blocks of a table that was checked when it was opened.
        return X.values
    schema = estimator._schema
    with _called(name):
        X = check_table(estimator, X, name, estimator._min_samples if reset else 1)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        columns = Schema.of_numbers(X.shape[1]) if schema is None else schema
        owner = type(estimator).__name__
        rows = columns.encode(
            X, name=name, owner=owner, training=reset, may_miss=may_miss
        )
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


def read_latent(estimator: Any, Z: Any) -> NDArray:
    """Return validated latent rows.

    Parameters
    ----------
    estimator : Destructor
        Whom they are given to; its base distribution tells which columns are codes.
    Z : array-like of shape (n_samples, n_features)
        Latent rows.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        Int64 if all columns are codes, else float64.

    Raises
    ------
    ValueError
        If they are not finite, of another width, or codes are expected.
    """
    if isinstance(Z, Rows):
        return Z.values
    d, base = estimator.n_features_in_, estimator.base_distribution_
    try:
        rows: NDArray = check_array(Z, dtype=np.float64, order="C", input_name="Z")
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        is_coded = base is not None and base.n_categories.any()
        what = "integer codes" if is_coded else "numbers"
        raise ValueError(f"Z must be {what}: {error}") from error
    if rows.shape[1] != d:
        raise ValueError(
            f"Z has {rows.shape[1]} features, but {type(estimator).__name__} is "
            f"expecting {d} features as input."
        )
    return rows if base is None else check_codes(rows, base.n_categories, "Z")
