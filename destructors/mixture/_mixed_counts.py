"""Integers and codes of training rows: counts, and tables of probabilities from them.

A class has its own rows, and a few that it takes from what is known without it: pseudo-
counts of a Dirichlet prior. How many, held-out rows choose.
"""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.special import xlogy
from sklearn.utils import gen_batches

from destructors.maps._classes import Emission, IntegerTable
from destructors.maps._code_forest import CodeForest

# Pseudo-counts to choose from, of a code in all rows together, and of the codes that
# follow one of another column.
_ALPHAS = np.geomspace(1e-4, 10.0, 26)
_PAIR_ALPHAS = np.geomspace(0.1, 1000.0, 25)
# Cells of the largest table of two columns.
_MOST_CELLS = 2**14
# Codes of all columns of which pairs are counted as products of dense matrices, and
# numbers in the blocks of these.
_MOST_DENSE, _BLOCK_SIZE = 2**12, 2**22
# Axes of a column of codes among those along which classes are split.
_MOST_AXES = 6
# Scale of a logistic distribution of variance one.
_LOGISTIC = np.sqrt(3.0) / np.pi
# Least variance of integers beside that of rounding; the variance of rounding.
_LEAST_VARIANCE, _ROUNDING = 0.01, 1.0 / 12.0


class Strength(NamedTuple):
    """Rows that a class takes from what is known without it.

    Attributes
    ----------
    codes : float
        For the table of a column of codes.
    pairs : float
        For each line of a table of two.
    integers : float
        For the table of a column of integers.
    """

    codes: float = 1.0
    pairs: float = 10.0
    integers: float = 10.0


class Counts(ABC):
    """Columns of training rows, and what classes make of them.

    Attributes
    ----------
    columns : ndarray of int
        Their positions.
    smoothed : list of str
        The fields of `Strength` that they depend on.
    """

    columns: NDArray
    smoothed: list[str]

    @abstractmethod
    def count(self, posterior: NDArray) -> list[NDArray]:
        """Return counts, each of shape (n_classes, …)."""

    @abstractmethod
    def estimate(self, counts: list[NDArray], strength: Strength) -> Emission:
        """Return what the columns are like in each class."""

    @abstractmethod
    def axes(self, random_state: np.random.RandomState) -> NDArray:
        """Return each column as numbers of variance about one in all."""


# ---------------------------------------------------------------------- codes


class CodeCounts(Counts):
    """Columns of codes, and the forest that they follow.

    Parameters
    ----------
    columns : ndarray of int
        Their positions.
    X : ndarray of shape (n_samples, n_columns)
        Codes, NaN where one is missing.
    weight : ndarray of shape (n_samples,)
    sizes : ndarray of int of shape (n_columns,)
        Numbers of codes.
    parents : ndarray of int of shape (n_columns,), default=None
        The forest: parent of each column, -1 for a root. None learns one.
    """

    def __init__(
        self,
        columns: NDArray,
        X: NDArray,
        weight: NDArray,
        sizes: NDArray,
        parents: NDArray | None = None,
    ):
        self.columns, self.sizes = columns, sizes
        self._missing = np.isnan(X)
        self._codes = np.where(self._missing, 0, X).astype(np.intp)
        self._weight = weight
        # All columns lie side by side: a thousand are counted at once.
        self._starts = np.append(0, np.cumsum(sizes))
        self._single = self._onehot(self._codes, ~self._missing, self._starts)
        counts = _split(self._single.sum(axis=1), self._starts)
        shares = [smooth(own) for own in counts]
        self._shares = np.concatenate(shares)
        self.parents = self._find_forest() if parents is None else parents
        self._children = np.flatnonzero(self.parents >= 0)
        above = self.parents[self._children]
        self._pair_sizes = self.sizes[above] * self.sizes[self._children]
        self._pair_starts = np.append(0, np.cumsum(self._pair_sizes))
        self._pairs = self._onehot(
            self._codes[:, above] * self.sizes[self._children]
            + self._codes[:, self._children],
            ~(self._missing[:, above] | self._missing[:, self._children]),
            self._pair_starts,
        )
        # Lines of tables of two: a code of the parent each.
        widths = np.repeat(self.sizes[self._children], self.sizes[above])
        self._lines = np.append(0, np.cumsum(widths)).astype(np.intp)
        # Of each cell of two, that of its own code alone.
        each = zip(self._children, above, strict=True)
        cells = [
            np.tile(np.arange(*self._starts[j : j + 2]), self.sizes[i]) for j, i in each
        ]
        self._own_cell = np.concatenate([np.empty(0, np.intp), *cells])
        pairs = _split(self._pairs.sum(axis=1), self._pair_starts)
        given = [
            smooth_pairs(pair.reshape(-1, self.sizes[j]), shares[j]).ravel()
            for pair, j in zip(pairs, self._children, strict=True)
        ]
        self._given = np.concatenate([np.empty(0), *given])
        self.smoothed = ["codes", "pairs"] if len(self._children) else ["codes"]

    def _onehot(self, codes: NDArray, known: NDArray, starts: NDArray) -> csr_array:
        """Return which cell each row has in each column, of those side by side."""
        columns, rows = np.nonzero(known.T)
        cells = codes.T[columns, rows] + starts[columns]
        entries = self._weight[rows], (cells, rows)
        return csr_array(entries, shape=(int(starts[-1]), len(known)))

    def _find_forest(self) -> NDArray:
        """Return the parents of a tree of largest dependence, in all rows together.

        An edge has to be worth its parameters (Schwarz's criterion).
        """
        worth = self._dependences()
        np.fill_diagonal(worth, 0.0)
        worth[np.outer(self.sizes, self.sizes) > _MOST_CELLS] = 0.0
        tree = minimum_spanning_tree(-np.maximum(worth, 0.0)).toarray()
        tree = tree + tree.T
        parents = np.full(len(tree), -1)
        done = np.zeros(len(tree), dtype=bool)
        for root in np.argsort(tree.sum(axis=0), kind="stable"):
            if not done[root]:
                order, above = breadth_first_order(tree, root, directed=False)
                done[order] = True
                parents[order[1:]] = above[order[1:]]
        return parents

    def _dependences(self) -> NDArray:
        """Return how much each two columns tell of each other, in nats a row.

        All pairs are counted at once, over the rows that have both: a thousand columns
        have half a million.
        """
        columns = np.repeat(np.arange(len(self.sizes)), self.sizes)
        cells = np.arange(len(columns)), columns
        of_column = csr_array((np.ones(len(columns)), cells))
        counts, both = self._count_pairs(of_column)
        n = of_column.T @ counts
        single = of_column.T @ xlogy(counts, counts)
        gain = both - single - single.T + xlogy(n, n)
        n_seen = of_column.T @ (counts > 0).astype(np.float64)
        n_parameters = (n_seen - 1.0) * (n_seen.T - 1.0)
        enough = n > 1.0
        rows = np.where(enough, n, 2.0)
        return np.where(enough, (gain - 0.5 * n_parameters * np.log(rows)) / rows, 0.0)

    def _count_pairs(self, of_column: csr_array) -> tuple[NDArray, NDArray]:
        """Return counts of codes among rows that have another column, and of two codes.

        Returns
        -------
        counts : ndarray of shape (n_cells, n_columns)
            Rows that have a code and the other column.
        both : ndarray of shape (n_columns, n_columns)
            Sums of n log n over the cells of tables of two columns.
        """
        known = self._single.copy()
        known.data = np.ones_like(known.data)
        n_cells, n_rows = known.shape
        if n_cells > _MOST_DENSE:
            some = (self._single @ known.T).tocsr()
            counts = (some @ of_column).toarray()
            some.data = xlogy(some.data, some.data)
            return counts, (of_column.T @ some @ of_column).toarray()
        weighed, known = self._single.tocsc(), known.tocsc()
        pairs = np.zeros((n_cells, n_cells))
        for block in gen_batches(n_rows, max(1, _BLOCK_SIZE // n_cells)):
            pairs += weighed[:, block].toarray() @ known[:, block].toarray().T
        starts = self._starts[:-1]
        both = np.add.reduceat(xlogy(pairs, pairs), starts, axis=0)
        return (
            np.add.reduceat(pairs, starts, axis=1),
            np.add.reduceat(both, starts, axis=1),
        )

    def count(self, posterior: NDArray) -> list[NDArray]:
        """Return counts of codes, then of pairs; see `Counts.count`."""
        each = self._single, self._pairs
        return [np.ascontiguousarray((onehot @ posterior).T) for onehot in each]

    def estimate(self, counts: list[NDArray], strength: Strength) -> CodeForest:
        """Return tables of probabilities; see `Counts.estimate`."""
        own, pairs = counts
        own = _normalise(own + strength.codes * self._shares, self._starts)
        tables = _split(own, self._starts)
        if len(self._children):
            # What the class and the parent say, each by itself.
            ratio = own / self._shares
            both = _normalise(self._given * ratio[:, self._own_cell], self._lines)
            both = _normalise(pairs + strength.pairs * both, self._lines)
            given = _split(both, self._pair_starts)
            for table, j in zip(given, self._children, strict=True):
                tables[j] = table.reshape(len(table), -1, self.sizes[j])
        return CodeForest(self.parents, tuple(tables))

    def axes(self, random_state: np.random.RandomState) -> NDArray:
        """Return each column as numbers; see `Counts.axes`."""
        parts = []
        totals = _split(self._single.sum(axis=1), self._starts)
        for j, counts in enumerate(totals):
            p = counts / max(counts.sum(), 1e-300)
            if len(p) <= _MOST_AXES:
                axes = np.eye(len(p))
            else:
                axes = random_state.standard_normal((len(p), _MOST_AXES))
            axes = axes - p @ axes
            axes /= np.sqrt(max((p @ axes**2).sum(), 1e-12))
            parts.append(
                np.where(self._missing[:, j, None], 0.0, axes[self._codes[:, j]])
            )
        return np.hstack(parts)


def _split(values: NDArray, starts: NDArray) -> list[NDArray]:
    """Return what lies between starts, along the last axis."""
    return [values[..., a:b] for a, b in pairwise(starts.tolist())]


def _normalise(values: NDArray, starts: NDArray) -> NDArray:
    """Return values that sum to one between starts, along the last axis."""
    sums = np.add.reduceat(values, starts[:-1], axis=1)
    return values / np.repeat(sums, np.diff(starts), axis=1)


def smooth(counts: NDArray) -> NDArray:
    """Return probabilities of codes, with the pseudo-count that predicts each row best
    from all others (leave-one-out likelihood).
    """
    n, rows = len(counts), counts.sum()
    others = np.maximum(counts - 1.0, 0.0)
    left = max(rows - 1.0, 0.0)
    logs = np.log(others + _ALPHAS[:, None])
    scores = logs @ counts - rows * np.log(left + n * _ALPHAS)
    alpha = _ALPHAS[int(np.argmax(scores))]
    return (counts + alpha) / (rows + n * alpha)


def smooth_pairs(counts: NDArray, shares: NDArray) -> NDArray:
    """Return probabilities of codes given those of another column, drawn towards what
    they are without it, as far as predicts each row best from all others.

    Parameters
    ----------
    counts : ndarray of shape (n_categories_parent, n_categories)
    shares : ndarray of shape (n_categories,)
    """
    first, second = np.nonzero(counts)
    n, total = counts[first, second], counts.sum(axis=1)
    left = np.maximum(total[first] - 1.0, 0.0)
    alphas = _PAIR_ALPHAS[:, None]
    others = np.maximum(n - 1.0, 0.0) + alphas * shares[second]
    scores = (np.log(others) - np.log(left + alphas)) @ n
    alpha = _PAIR_ALPHAS[int(np.argmax(scores))]
    return (counts + alpha * shares) / (total + alpha)[:, None]


# ---------------------------------------------------------------------- integers


class IntegerCounts(Counts):
    """A column of integers.

    Parameters
    ----------
    column : int
        Its position.
    x : ndarray of shape (n_samples,)
        Integers, NaN where one is missing.
    weight : ndarray of shape (n_samples,)
    """

    def __init__(self, column: int, x: NDArray, weight: NDArray):
        self.columns = np.array([column])
        known = np.flatnonzero(~np.isnan(x))
        self._values, place = np.unique(x[known], return_inverse=True)
        if not len(known):
            # A part of the table may have no value at all: one that no row has.
            self._values = np.zeros(1)
        shape = len(self._values), len(x)
        self._onehot = csr_array((weight[known], (place.ravel(), known)), shape=shape)
        self._place = np.full(len(x), -1)
        self._place[known] = place.ravel()
        self.smoothed = ["integers"]

    def count(self, posterior: NDArray) -> list[NDArray]:
        """Return counts of the values; see `Counts.count`."""
        return [np.ascontiguousarray((self._onehot @ posterior).T)]

    def estimate(self, counts: list[NDArray], strength: Strength) -> IntegerTable:
        """Return shares of values, and the rest; see `Counts.estimate`."""
        [own] = counts
        everything, n = own[-1], own.sum(axis=1)
        known = everything.sum() or 1.0
        middle = everything @ self._values / known
        spread = everything @ (self._values - middle) ** 2 / known
        # One row of what all classes have in common keeps a class of few rows wide.
        mean = (own @ self._values + middle) / (n + 1.0)
        away = (self._values - mean[:, None]) ** 2
        squares = np.einsum("kv,kv->k", own, away) + (mean - middle) ** 2 + spread
        variance = np.maximum(squares / (n + 1.0) - _ROUNDING, _LEAST_VARIANCE)
        total = n + strength.integers
        return IntegerTable(
            self._values,
            own / total[:, None],
            strength.integers / total,
            mean,
            _LOGISTIC * np.sqrt(variance),
        )

    def axes(self, random_state: np.random.RandomState) -> NDArray:
        """Return ranks, so that a few values far out are not; see `Counts.axes`."""
        counts = self._onehot.sum(axis=1)
        ranks = (np.cumsum(counts) - 0.5 * counts) / (counts.sum() or 1.0) - 0.5
        return np.append(ranks * np.sqrt(12.0), 0.0)[self._place][:, None]
