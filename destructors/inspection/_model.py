"""What a display reads of a model and of data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from destructors.maps import Density, Schema

# Samples that stand for rows where none are given.
_N_SAMPLES = 2000


class Model(NamedTuple):
    """A density of plain rows, and rows.

    Attributes
    ----------
    density : Density
        It takes and gives arrays, whatever was learned from.
    rows : ndarray of shape (n_samples, n_features)
        Rows, as the map knows them.
    names : list of str
        What to call the columns.
    kinds : ndarray of shape (n_features,)
        Number of categories of each; 0 for numbers.
    """

    density: Density
    rows: NDArray
    names: list[str]
    kinds: NDArray

    @classmethod
    def of(cls, estimator: Any, X: Any = None) -> "Model":
        """Read a fitted destructor, or a density from a file, and rows for it; without
        any, samples. Rows with missing values are left out.
        """
        if not isinstance(estimator, Density):
            check_is_fitted(estimator)
            estimator = estimator.to_density()
        schema = estimator.schema or Schema.of_numbers(estimator.n_features)
        if X is None:
            rows = estimator.sample_rows(_N_SAMPLES, np.random.RandomState(0))
        else:
            rows = schema.encode(X, may_miss=estimator.sums_out)
            rows = rows[~np.isnan(rows).any(axis=1)]
            if not len(rows):
                raise ValueError("X has no row without missing values to show.")
        rows = np.asarray(rows, dtype=np.float64)
        given = [column.name for column in schema.columns]
        if estimator.schema is None:
            given = [f"column {j}" for j in range(estimator.n_features)]
        names = list(map(str, given))
        kinds = estimator.n_categories
        return cls(replace(estimator, schema=None), rows, names, kinds)

    def place(self, feature: Any) -> int:
        """Return the position of a column, by position or name."""
        if isinstance(feature, str) and feature in self.names:
            return self.names.index(feature)
        d = len(self.names)
        if isinstance(feature, (int, np.integer)) and -d <= feature < d:
            return int(feature) % d
        raise ValueError(
            f"There is no column {feature!r} among the {d}: "
            f"{', '.join(self.names[:10])}."
        )


def some_rows(rows: NDArray, n_samples: int, rng: np.random.RandomState) -> NDArray:
    """Return the places of some rows at random, in their order."""
    if len(rows) <= n_samples:
        return np.arange(len(rows))
    return np.sort(rng.choice(len(rows), n_samples, replace=False))


def default_names(names: Sequence[Any] | None, n_features: int) -> list[str]:
    """Return what to call columns."""
    if names is None:
        return [f"column {j}" for j in range(n_features)]
    if len(names) != n_features:
        raise ValueError(f"There are {len(names)} names for {n_features} columns.")
    return list(map(str, names))
