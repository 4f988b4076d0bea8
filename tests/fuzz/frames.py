"""Hostile tables of both kinds: numbers, integers and categories in one frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.fuzz.recipe import BaseRecipe, Part, Rng
from tests.fuzz.tables import COLUMNS, WEIGHTS

__all__ = ["CATEGORIES", "FRAME_CHANGES", "Frame", "FrameRecipe", "draw_frame"]


class Frame(NamedTuple):
    """Rows and their weights."""

    X: pd.DataFrame
    weight: NDArray | None

    def take(self, rows: NDArray) -> "Frame":
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Frame(self.X.iloc[rows].reset_index(drop=True), weight)


def _with_one(values: NDArray, value: Any) -> NDArray:
    values = values.astype(object)
    values[0] = value
    return values


def _coded(rng: Rng, n: int, levels: list, n_used: int, ordered: bool = False) -> Any:
    codes = rng.integers(0, n_used, n)
    return pd.Categorical.from_codes(codes, levels, ordered=ordered)


CATEGORIES: dict[str, Callable[[Rng, int], Any]] = {
    "two": lambda rng, n: rng.choice(["a", "b"], n),
    "constant": lambda rng, n: np.full(n, "a"),
    "one-other": lambda rng, n: _with_one(np.full(n, "a"), "b"),
    "each-its-own": lambda rng, n: np.array([f"row {i}" for i in range(n)]),
    "very-many": lambda rng, n: rng.integers(0, 10**6, n).astype(str),
    "many-rare": lambda rng, n: np.minimum(rng.zipf(1.3, n), 10**9).astype(str),
    "unused-levels": lambda rng, n: _coded(rng, n, ["x", "y", "unused", "never"], 2),
    "ordered": lambda rng, n: _coded(rng, n, ["low", "mid", "high"], 3, True),
    "far-integers": lambda rng, n: pd.Categorical(10**15 + rng.integers(0, 3, n)),
    "negative-integers": lambda rng, n: pd.Categorical(rng.integers(-3, 3, n)),
    "extreme-floats": lambda rng, n: pd.Categorical(
        rng.choice([0.1, 1e300, -1e-300, 5e-324], n)
    ),
    "booleans": lambda rng, n: rng.uniform(size=n) < 0.3,
    "odd-texts": lambda rng, n: rng.choice(["", " ", "nan", "None", "é", "x" * 999], n),
    "missing": lambda rng, n: np.where(
        rng.uniform(size=n) < 0.2, None, rng.choice(["a", "b"], n).astype(object)
    ),
}
# Of an integer dtype: beside categories these are integers.
_INTEGERS: dict[str, Callable[[Rng, int], NDArray]] = {
    "int-counts": lambda rng, n: rng.poisson(3, n),
    "int-far": lambda rng, n: 10**12 + rng.poisson(3, n),
    "int-constant": lambda rng, n: np.full(n, 7),
    "int-wide": lambda rng, n: rng.integers(-(10**6), 10**6, n),
}
NUMBERS = COLUMNS | _INTEGERS


def _twice(X: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    return X.assign(twice=X.iloc[:, 0])


def _of_number(X: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    last = X.iloc[:, -1]
    if last.dtype.kind != "f":
        return X
    # No mean of the middle two, which may be beyond the largest number.
    middle = last.quantile(interpolation="lower")
    return X.assign(sign=np.where(last > middle, "high", "low"))


FRAME_CHANGES: dict[str, Callable[[pd.DataFrame, Rng], pd.DataFrame]] = {
    "category-twice": _twice,
    "category-of-number": _of_number,
    "repeated-rows": lambda X, rng: X.iloc[rng.integers(0, len(X), len(X))],
    "two-rows": lambda X, rng: X.iloc[rng.integers(0, min(2, len(X)), len(X))],
    "equal-rows": lambda X, rng: X.iloc[np.zeros(len(X), int)],
    "one-row-80%": lambda X, rng: X.iloc[
        np.where(rng.uniform(size=len(X)) < 0.8, 0, np.arange(len(X)))
    ],
    "shuffled-index": lambda X, rng: X.set_axis(rng.permutation(len(X)) - 5, axis=0),
}


@dataclass(frozen=True)
class FrameRecipe(BaseRecipe):
    """What a table of both kinds is made of.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    categories, numbers : tuple of str
        An ingredient for each column, of `CATEGORIES` and of `NUMBERS`.
    changes : tuple of str
        What is done to the table in turn, of `FRAME_CHANGES`.
    weights : str
        Weights of the rows, of `tests.fuzz.tables.WEIGHTS`.
    seed : int
        Of all that is random in it.
    """

    PARTS: ClassVar = {
        "categories": Part(CATEGORIES, "two", is_needed=True),
        "numbers": Part(NUMBERS, "normal", is_needed=False),
    }

    n_rows: int = 100
    categories: tuple[str, ...] = ("two",)
    numbers: tuple[str, ...] = ("normal",)
    changes: tuple[str, ...] = ()
    weights: str = "none"
    seed: int = 0

    def build(self) -> Frame:
        """Make the table."""
        X = pd.DataFrame(
            {
                f"{name} {number}": values
                for part in self.PARTS
                for name, number, values in self.columns_of(part)
            }
        )
        for name in self.changes:
            X = FRAME_CHANGES[name](X, self.rng(name))
        if "shuffled-index" not in self.changes:
            X = X.reset_index(drop=True)
        return Frame(X, WEIGHTS[self.weights](self.rng(self.weights), self.n_rows))


def draw_frame(rng: Rng) -> FrameRecipe:
    """Draw a recipe: most tables are plain but for one or two things."""
    sizes = (*range(1, 11), 20) if rng.uniform() < 0.2 else (30, 60, 100, 150, 300)
    n_categories, n_numbers = int(rng.integers(1, 4)), int(rng.integers(0, 4))
    kinds = [str(name) for name in rng.choice(list(CATEGORIES), n_categories)]
    plain = ("normal", "skewed", "int-counts")
    numbers = [
        str(rng.choice(plain if rng.uniform() < 0.4 else list(NUMBERS)))
        for _ in range(n_numbers)
    ]
    n_changes = int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))
    changes = [str(name) for name in rng.choice(list(FRAME_CHANGES), n_changes)]
    weights = str(rng.choice(list(WEIGHTS))) if rng.uniform() < 0.25 else "none"
    size, seed = int(rng.choice(sizes)), int(rng.integers(2**31))
    return FrameRecipe(
        size, tuple(kinds), tuple(numbers), tuple(changes), weights, seed
    )
