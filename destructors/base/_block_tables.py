"""What the columns of a table are that is read block by block."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import _column
from destructors.rows import Encoder, RowBlocks
from destructors.table import learn_schema


def learn_encoder(estimator: Any, X: RowBlocks) -> Encoder | None:
    """Return how blocks become rows; None where all columns are numbers and will do.

    Parameters
    ----------
    estimator : Destructor
        Whom they are given to.
    X : RowBlocks
        The blocks.

    Raises
    ------
    ValueError, TypeError
        If a column cannot be coded.
    """
    names_labels = hasattr(estimator, "_learn_domains")
    if not names_labels and not _knows_tables(estimator, X):
        return None
    found, columns = dict[Any, NDArray](), _Columns(estimator)
    for table, weight, labels in X.labelled_tables():
        if weight is not None:
            kept = np.flatnonzero(weight > 0)
            table = table[kept] if isinstance(table, np.ndarray) else table.iloc[kept]
            labels = None if labels is None else labels[kept]
            weight = weight[kept]
        if len(table):
            columns.add(table)
        if names_labels:
            estimator._require_domain(labels)
            values, codes = np.unique(np.asarray(labels), return_inverse=True)
            sizes = np.bincount(codes), np.bincount(codes, weight)
            for label, *size in zip(values.tolist(), *sizes, strict=True):
                found[label] = found.get(label, 0.0) + np.array(size)
    domains = estimator._learn_domains(found) if names_labels else None
    few = columns.table()
    schema = learn_schema(estimator, few, estimator._categorical(few), None)
    return encoder_of(estimator, schema, domains)


def encoder_of(estimator: Any, schema: Any, domains: NDArray | None) -> Encoder:
    """Return how further blocks become rows."""
    return Encoder(schema, type(estimator).__name__, estimator._may_miss, domains)


def _knows_tables(estimator: Any, X: RowBlocks) -> bool:
    """Return whether an estimator has a use for what is no number in a table."""
    if estimator._may_miss:
        return True
    first, *_ = next(X.labelled_tables())
    return bool(estimator._categorical(first))


class _Columns:
    """A few rows that have in each column all that a table tells about it.

    Each category is there once, a missing value if there is one, and a number that is
    no integer.
    """

    def __init__(self, estimator: Any):
        self._estimator = estimator
        self._known: list[Any] = []
        self._categorical: Any = None

    def add(self, table: Any) -> None:
        """Look at a block."""
        if self._categorical is None:
            self._categorical = self._estimator._categorical(table)
        columns = _column.columns_of(table)
        if self._known:
            columns = list(map(_join, self._known, columns))
        self._known = [
            _each_once(column) if j in self._categorical else _telling(column)
            for j, column in enumerate(columns)
        ]

    def table(self) -> Any:
        """Return these rows."""
        if not self._known:
            raise ValueError("All weights are zero.")
        n_rows = max(map(len, self._known))
        columns = [_repeat(column, n_rows) for column in self._known]
        if isinstance(columns[0], np.ndarray):
            return np.stack(columns, axis=1)
        # It is there: the columns are of it.
        from pandas import concat

        return concat(columns, axis=1)


def _join(known: Any, column: Any) -> Any:
    if isinstance(column, np.ndarray):
        return np.concatenate([known, column])
    from pandas import concat

    return concat([known, column], ignore_index=True)


def _each_once(column: Any) -> Any:
    if isinstance(column, np.ndarray):
        return np.unique(column)
    return column.drop_duplicates(ignore_index=True)


def _telling(column: Any) -> Any:
    """Return the first number, the first that is none, and the first between two."""
    places, values = [0], np.asarray(column)
    if values.dtype.kind == "f":
        for wanted in (np.isnan(values), values != np.rint(values)):
            places += np.flatnonzero(wanted)[:1].tolist()
        # An integer, where a missing value comes first.
        places += np.flatnonzero(values == np.rint(values))[:1].tolist()
    places = sorted(set(places))
    return column[places] if isinstance(column, np.ndarray) else column.iloc[places]


def _repeat(column: Any, n_rows: int) -> Any:
    places = np.arange(n_rows) % len(column)
    if isinstance(column, np.ndarray):
        return column[places]
    return column.iloc[places].reset_index(drop=True)
