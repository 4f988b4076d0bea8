"""Hostile tables, made of named ingredients.

A `Recipe` names what a table is made of: an ingredient for each column, changes to the
whole, weights, and a seed. It is small, so it can be printed, and what is left out of
it does not change the rest: a failing one can be made smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.fuzz.recipe import BaseRecipe, Part, Rng

__all__ = [
    "CHANGES",
    "COLUMNS",
    "WEIGHTS",
    "Recipe",
    "Table",
    "draw_recipe",
    "has_constant",
    "largest_share",
    "may_be_constant",
    "recipes",
]


class Table(NamedTuple):
    """Rows, their weights, and the number of the domain that each is of."""

    X: NDArray
    weight: NDArray | None
    domain: NDArray

    def take(self, rows: NDArray) -> "Table":
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Table(self.X[rows], weight, self.domain[rows])


def has_constant(table: Table) -> bool:
    """Whether a column is constant, up to rounding, in rows that have a weight."""
    X = table.X if table.weight is None else table.X[table.weight > 0]
    return bool((np.ptp(X / 2, axis=0) <= 1e-14 * np.abs(X).max(axis=0)).any())


def may_be_constant(table: Table, holds_out: bool) -> bool:
    """Whether a column is constant, or so few rows keep it from being so, nine at most,
    that it may be in the training rows of a fold. Equal ones are held out together.
    """
    X, weight = table.X, table.weight
    if weight is not None:
        X = X[weight > 1e-9 * weight.max(initial=0.0)]
    if len(X) == 0 or has_constant(table):
        return True
    X = np.unique(X, axis=0) if holds_out else X
    most = [np.unique(column, return_counts=True)[1].max() for column in X.T]
    return len(X) - max(most) < 10


def largest_share(table: Table) -> float:
    """Return the largest share of the weight that one number has in a column."""
    weight = np.ones(len(table.X)) if table.weight is None else table.weight
    weight = weight / weight.max()
    shares = [
        np.bincount(np.unique(column, return_inverse=True)[1].ravel(), weight).max()
        for column in table.X.T
    ]
    return float(max(shares) / weight.sum())


def _any_magnitude(rng: Rng, n: int, decades: float) -> NDArray:
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-decades, decades, n)


def _with_one(values: NDArray, value: float) -> NDArray:
    values[0] = value
    return values


def _gaps(rng: Rng, n: int, distance: float) -> NDArray:
    return rng.integers(0, 2, n) * distance + rng.normal(size=n)


def _some(rng: Rng, n: int, share: float, value: float, others: NDArray) -> NDArray:
    return np.where(rng.uniform(size=n) < share, value, others)


# Simple ones first: hypothesis shrinks towards these.
COLUMNS: dict[str, Callable[[Rng, int], NDArray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "skewed": lambda rng, n: rng.lognormal(size=n),
    # ties and lattices
    "binary": lambda rng, n: rng.integers(0, 2, n) * 1.0,
    "integers": lambda rng, n: rng.integers(0, 5, n) * 1.0,
    "tenths": lambda rng, n: 0.1 * rng.integers(-20, 20, n),
    "thirds": lambda rng, n: rng.integers(0, 9, n) / 3.0,
    "counts": lambda rng, n: rng.poisson(rng.gamma(0.5, 10.0, n)) * 1.0,
    "ramp": lambda rng, n: np.arange(n) * 1.0,
    "few-normal": lambda rng, n: rng.normal(size=max(n // 10, 2))[
        rng.integers(0, max(n // 10, 2), n)
    ],
    "half-zero": lambda rng, n: _some(rng, n, 0.5, 0.0, rng.lognormal(size=n)),
    "mostly-one": lambda rng, n: _some(rng, n, 0.95, 1.0, rng.normal(size=n)),
    "signed-zeros": lambda rng, n: rng.choice([0.0, -0.0, 1.0], n),
    "nearly-tied": lambda rng, n: rng.integers(0, 3, n) + 1e-12 * rng.normal(size=n),
    # constants
    "zero": lambda rng, n: np.zeros(n),
    "constant": lambda rng, n: np.full(n, 0.1),
    "large-constant": lambda rng, n: np.full(n, -1e9),
    "almost-constant": lambda rng, n: 1.0 + 1e-15 * rng.integers(0, 4, n),
    # magnitudes
    "1e-12": lambda rng, n: 1e-12 * rng.normal(size=n),
    "1e12": lambda rng, n: 1e12 * rng.normal(size=n),
    "1e-300": lambda rng, n: 1e-300 * rng.normal(size=n),
    "1e300": lambda rng, n: 1e300 * rng.normal(size=n),
    "subnormal": lambda rng, n: 5e-324 * rng.integers(0, 100, n),
    "8-decades": lambda rng, n: _any_magnitude(rng, n, 8.0),
    "300-decades": lambda rng, n: _any_magnitude(rng, n, 300.0),
    "whole-range": lambda rng, n: rng.uniform(-0.99, 0.99, n) * np.finfo(float).max,
    # offsets
    "offset-1e9": lambda rng, n: 1e9 + rng.normal(size=n),
    "offset-1e15": lambda rng, n: 1e15 + rng.normal(size=n),
    "year": lambda rng, n: 1.7e9 + np.sort(rng.integers(0, 31_536_000, n)) * 1.0,
    # gaps, tails, sentinels
    "gap": lambda rng, n: _gaps(rng, n, 1e3),
    "wide-gap": lambda rng, n: _gaps(rng, n, 1e8),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "heavier": lambda rng, n: np.clip(rng.standard_cauchy(n) ** 5, -1e50, 1e50),
    "sentinel": lambda rng, n: _some(rng, n, 0.05, -999.0, rng.normal(size=n)),
    "one-1e7": lambda rng, n: _with_one(rng.normal(size=n), 1e7),
    "one-1e30": lambda rng, n: _with_one(rng.normal(size=n), -1e30),
    "one-1e300": lambda rng, n: _with_one(rng.normal(size=n), 1e300),
}


def _replace_column(X: NDArray, rng: Rng, values: NDArray) -> NDArray:
    X = X.copy()
    X[:, rng.integers(X.shape[1])] = values
    return X


def _add_column(X: NDArray, values: NDArray) -> NDArray:
    return np.column_stack([X, values])


def _sum_of_columns(X: NDArray, rng: Rng) -> NDArray:
    return _add_column(X, X @ np.linspace(1.0, 2.0, X.shape[1]) / X.shape[1])


def _one_row_fills(X: NDArray, rng: Rng, share: float) -> NDArray:
    X = X.copy()
    X[rng.uniform(size=len(X)) < share] = X[0]
    return X


def _one_hot(X: NDArray, rng: Rng) -> NDArray:
    return np.column_stack([X, np.eye(3)[rng.integers(0, 3, len(X))]])


CHANGES: dict[str, Callable[[NDArray, Rng], NDArray]] = {
    "duplicate-column": lambda X, rng: _add_column(X, X[:, 0]),
    "scaled-column": lambda X, rng: _add_column(X, -3.0 * X[:, 0] / 4.0),
    "collinear-column": _sum_of_columns,
    "nearly-duplicate-column": lambda X, rng: _add_column(
        X, X[:, 0] * (1.0 + 1e-9 * rng.normal(size=len(X)))
    ),
    "function-of-column": lambda X, rng: _add_column(X, np.tanh(X[:, 0]) ** 2),
    "one-hot": _one_hot,
    "repeated-rows": lambda X, rng: X[rng.integers(0, len(X), len(X))],
    "two-rows": lambda X, rng: X[rng.integers(0, min(2, len(X)), len(X))],
    "equal-rows": lambda X, rng: np.repeat(X[:1], len(X), axis=0),
    "one-row-60%": lambda X, rng: _one_row_fills(X, rng, 0.6),
    "one-row-80%": lambda X, rng: _one_row_fills(X, rng, 0.8),
    "zero-row-70%": lambda X, rng: np.where(
        rng.uniform(size=(len(X), 1)) < 0.7, 0.0, X
    ),
    "zeros-50%": lambda X, rng: np.where(rng.uniform(size=X.shape) < 0.5, 0.0, X),
    "rounded": lambda X, rng: np.round(X, 1),
    "single": lambda X, rng: X.astype(np.float32).astype(float) if _fits(X) else X,
    "sorted": lambda X, rng: np.sort(X, axis=0),
    "units": lambda X, rng: (
        X * 10.0 ** rng.uniform(-6, 6, X.shape[1]) if _fits(X) else X
    ),
    "shifted": lambda X, rng: X + 1e6 if _fits(X) else X,
}


def _fits(X: NDArray) -> bool:
    return float(np.abs(X).max(initial=0.0)) < 1e30


def _some_weights(rng: Rng, n: int, share: float, value: float) -> NDArray:
    return _with_one(np.where(rng.uniform(size=n) < share, value, 1.0), 1.0)


WEIGHTS: dict[str, Callable[[Rng, int], NDArray | None]] = {
    "none": lambda rng, n: None,
    "ones": lambda rng, n: np.ones(n),
    "repeats": lambda rng, n: _with_one(rng.integers(0, 4, n) * 1.0, 1.0),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "mostly-zero": lambda rng, n: _some_weights(rng, n, 0.8, 0.0),
    "tiny-1e-17": lambda rng, n: _some_weights(rng, n, 0.5, 1e-17),
    "one-heavy": lambda rng, n: _with_one(np.ones(n), 1e6),
    "all-1e20": lambda rng, n: np.full(n, 1e20),
    "all-1e-20": lambda rng, n: np.full(n, 1e-20),
    "all-1e300": lambda rng, n: np.full(n, 1e300),
    "all-1e-300": lambda rng, n: np.full(n, 1e-300),
    "some-1e300": lambda rng, n: _some_weights(rng, n, 0.5, 1e300),
    "some-1e-300": lambda rng, n: _some_weights(rng, n, 0.5, 1e-300),
    "600-decades": lambda rng, n: np.abs(_any_magnitude(rng, n, 300.0)),
}


@dataclass(frozen=True)
class Recipe(BaseRecipe):
    """What a table is made of.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    columns : tuple of str
        An ingredient for each column, of `COLUMNS`.
    changes : tuple of str
        What is done to the table in turn, of `CHANGES`.
    weights : str
        Weights of the rows, of `WEIGHTS`.
    seed : int
        Of all that is random in it.
    """

    PARTS: ClassVar = {"columns": Part(COLUMNS, "normal", is_needed=True)}

    n_rows: int = 100
    columns: tuple[str, ...] = ("normal",)
    changes: tuple[str, ...] = ()
    weights: str = "none"
    seed: int = 0

    def build(self) -> Table:
        """Make the table."""
        X = np.column_stack([values for *_, values in self.columns_of("columns")])
        for name in self.changes:
            with np.errstate(all="ignore"):
                X = CHANGES[name](X, self.rng(name))
        X = np.clip(X, -np.finfo(float).max, np.finfo(float).max)
        weight = WEIGHTS[self.weights](self.rng(self.weights), self.n_rows)
        return Table(X, weight, self.rng("domain").permutation(self.n_rows) % 2)


_SIZES = (*range(1, 11), 20, 50, 100, 150, 300, 700)


def draw_recipe(rng: Rng) -> Recipe:
    """Draw a recipe: most tables are plain but for one or two things."""
    sizes = _SIZES if rng.uniform() < 0.3 else (30, 60, 100, 150, 300, 700)
    d, seed = int(rng.integers(1, 5)), int(rng.integers(2**31))
    plain = ("normal", "skewed", "normal")
    columns = [
        str(rng.choice(plain if rng.uniform() < 0.4 else list(COLUMNS)))
        for _ in range(d)
    ]
    n_changes = int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15]))
    changes = [str(name) for name in rng.choice(list(CHANGES), n_changes)]
    weights = str(rng.choice(list(WEIGHTS))) if rng.uniform() < 0.25 else "none"
    return Recipe(int(rng.choice(sizes)), tuple(columns), tuple(changes), weights, seed)


def recipes() -> st.SearchStrategy[Recipe]:
    """Return the strategy by which hypothesis draws recipes."""
    return st.builds(
        Recipe,
        st.sampled_from(_SIZES[1:]),
        st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4).map(tuple),
        st.lists(st.sampled_from(list(CHANGES)), max_size=2).map(tuple),
        st.sampled_from(list(WEIGHTS)),
        st.integers(0, 1000),
    )
