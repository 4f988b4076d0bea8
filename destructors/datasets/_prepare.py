"""What is done to a table before densities of it are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

__all__ = ["dequantize", "part"]


def dequantize(X: NDArray, rng: np.random.Generator) -> NDArray:
    """Return rows with uniform noise in columns whose values repeat.

    The noise is as wide as the smallest gap between values of the column: a density has
    no place for point masses.
    """
    X = np.array(X, dtype=np.float64)
    for column in X.T:
        values = np.unique(column)
        if 1 < len(values) < len(column):
            column += np.diff(values).min() * rng.uniform(size=len(column))
    return X


def part(X: NDArray) -> dict[str, NDArray]:
    """Return dequantized, shuffled and standardised rows, 80/10/10."""
    rng = np.random.default_rng(0)
    X = rng.permutation(dequantize(X, rng))
    train, val, test = np.split(X, [int(0.8 * len(X)), int(0.9 * len(X))])
    scaler = StandardScaler().fit(train)
    parts = {"train": train, "val": val, "test": test}
    return {name: scaler.transform(rows) for name, rows in parts.items()}
