"""What is learned from: rows on their way through layers, and a held-out part."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.maps._blocks import in_blocks
from destructors.rows._splits import hash_roughly, make_splits, unique_rows
from destructors.rows._threads import map_threads

# Kinds of columns; a positive number is that of the codes of a categorical one.
CONTINUOUS, INTEGER = 0, -1
# Rows of a block: part of what a sum is, not of where it is taken.
_BLOCK_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows, and what is known of each.

    A learner sees them in two ways: `sum` adds up a statistic over blocks, `through`
    maps them. Only this class knows where the blocks are.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        The rows as the layers so far have left them.
    log_det : ndarray of shape (n_rows,)
        What these layers have added to the log-determinant, in nats.
    weight : ndarray of shape (n_rows,) or None
        Positive weights; None for all ones.
    context : ndarray of shape (n_rows, ...) or None
        What maps may depend on without changing it, such as the number of a domain.
    kinds : ndarray of shape (n_features,) or None
        Kind of each column: `CONTINUOUS`, `INTEGER`, or the number of codes of a
        categorical one. None if all are continuous.
    names : ndarray of shape (n_features,) or None
        Names of the columns, for messages.
    n_jobs : int or None
        Threads that share the blocks.
    kept : ndarray of bool or None
        Which of the rows as they were given are here, where some had weight zero.
    """

    values: NDArray
    log_det: NDArray
    weight: NDArray | None = None
    context: NDArray | None = None
    kinds: NDArray | None = None
    names: NDArray | None = None
    n_jobs: int | None = None
    kept: NDArray | None = None

    @classmethod
    def of(cls, values: NDArray, weight: NDArray | None = None, **known: Any) -> "Rows":
        """Return rows that no layer has seen yet."""
        return cls(values, np.zeros(len(values)), weight, **known)

    # ------------------------------------------------------------------ what they are

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.values.shape[1]

    @property
    def total(self) -> float:
        """Number of rows, or sum of their weights."""
        return float(len(self)) if self.weight is None else float(self.weight.sum())

    @property
    def weights(self) -> NDArray:
        """The weights, ones where none were given."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def name(self, column: int) -> str:
        """Return what a message should call a column."""
        return str(column if self.names is None else self.names[column])

    def hashes(self, seed: int) -> NDArray:
        """Return a hash of each row's content that rounding hardly ever changes."""
        return hash_roughly(self.values, seed)

    # ------------------------------------------------------------------ two ways

    def sum(self, statistic: Callable[..., Any], *state: Any) -> Any:
        """Add up ``statistic(block, *state)`` over blocks, in their order.

        Parameters
        ----------
        statistic : callable
            Takes `Rows`; returns what can be added, or a tuple of such things.
        *state : object
            Further arguments.

        Returns
        -------
        total : object
            The same for any number of threads.
        """
        n_blocks = -(-len(self) // _BLOCK_ROWS)
        if n_blocks <= 1:
            return statistic(self, *state)
        parts = map_threads(
            lambda i: statistic(self._block(i), *state), range(n_blocks), self.n_jobs
        )
        total = parts[0]
        for part in parts[1:]:
            total = _add(total, part)
        return total

    def _block(self, i: int) -> "Rows":
        return self.take(slice(i * _BLOCK_ROWS, (i + 1) * _BLOCK_ROWS))

    def through(self, map_: Map) -> "Rows":
        """Return the rows after a map."""
        run = lambda fill, blocks: map_threads(fill, blocks, self.n_jobs)
        values, log_det = in_blocks(map_.forward, self.values, self.context, run)
        return replace(
            self,
            values=values,
            log_det=self.log_det + log_det,
            kinds=None if self.kinds is None else map_.kinds_after(self.kinds),
            names=self.names if map_.feature_wise else None,
        )

    def moved(self, values: NDArray, log_det: NDArray) -> "Rows":
        """Return the rows where a layer has moved them by itself.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
            Where they are now.
        log_det : ndarray of shape (n_rows,)
            What the layer adds to the log-determinant, in nats.
        """
        return replace(self, values=values, log_det=self.log_det + log_det, names=None)

    # ------------------------------------------------------------------ parts

    def take(self, index: Any) -> "Rows":
        """Return some of the rows."""
        return replace(
            self,
            values=self.values[index],
            log_det=self.log_det[index],
            weight=None if self.weight is None else self.weight[index],
            context=None if self.context is None else self.context[index],
            kept=None,
        )

    def weighted(self, weight: NDArray) -> "Rows":
        """Return the rows under non-negative weights, without those of weight zero."""
        rows, kept = replace(self, weight=weight), weight > 0
        return rows if kept.all() else replace(rows.take(kept), kept=kept)

    def unseen(self) -> "Rows":
        """Return the rows as if no layer had seen them: without log-determinants."""
        return replace(self, log_det=np.zeros(len(self)))

    def columns(self, columns: NDArray) -> "Rows":
        """Return some of the columns, as rows that no layer has seen yet."""
        return Rows(
            np.ascontiguousarray(self.values[:, columns]),
            np.zeros(len(self)),
            self.weight,
            self.context,
            None if self.kinds is None else self.kinds[columns],
            None if self.names is None else self.names[columns],
            self.n_jobs,
            self.kept,
        )

    def split(self, cv: Any, validation_fraction: float, seed: int) -> "list[Fold]":
        """Return folds, by content; see `destructors.rows.make_splits`."""
        splits = make_splits(self, cv, validation_fraction, seed)
        return [Fold(self.take(train), self.take(test)) for train, test in splits]

    def unique(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return the different rows, what each weighs, and where each row has gone.

        See `destructors.rows.unique_rows`.
        """
        return unique_rows(self.values, self.weight)

    # ------------------------------------------------------------------ scores

    def score(self, base: Any) -> float:
        """Mean log density under the layers so far and a base distribution, in nats."""
        log_density = base.logpdf(self.values) + self.log_det
        return float(np.average(log_density, weights=self.weight))


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to fit on, and rows to judge by.

    Parameters
    ----------
    train : Rows
        Rows to fit on.
    validation : Rows or None
        Held-out rows, if there are any.
    """

    train: Rows
    validation: Rows | None = None

    def through(self, map_: Map) -> "Fold":
        """Return both parts after a map."""
        held_out = None if self.validation is None else self.validation.through(map_)
        return Fold(self.train.through(map_), held_out)

    def unseen(self) -> "Fold":
        """Return both parts as if no layer had seen them."""
        held_out = None if self.validation is None else self.validation.unseen()
        return replace(self, train=self.train.unseen(), validation=held_out)

    def columns(self, columns: NDArray) -> "Fold":
        """Return some of the columns, as rows that no layer has seen yet."""
        held_out = None if self.validation is None else self.validation.columns(columns)
        return Fold(self.train.columns(columns), held_out)

    def score(self, base: Any) -> tuple[float, float]:
        """Mean log density of both parts, in nats; NaN where nothing is held out."""
        held_out = np.nan if self.validation is None else self.validation.score(base)
        return self.train.score(base), held_out


def _add(total: Any, part: Any) -> Any:
    if isinstance(total, tuple):
        return tuple(map(_add, total, part))
    return total + part
