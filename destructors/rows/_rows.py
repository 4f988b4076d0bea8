"""What is learned from: rows on their way through layers, and a held-out part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.maps._blocks import in_blocks
from destructors.maps._hash import hash_rows
from destructors.maps._map import hash_parts
from destructors.rows._digest import digest
from destructors.rows._running import map_threads
from destructors.rows._splits import fold_rows, hash_roughly, order_rows, split_rows
from destructors.rows._weights import (
    Size,
    scale_weights,
    size_of_weights,
    weighted_mean,
)

# Kinds of columns; a positive number is that of the codes of a categorical one.
CONTINUOUS, INTEGER = 0, -1
# Rows of a block: part of what a sum is, not of where it is taken.
BLOCK_ROWS = 65_536


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
    unit : ndarray of shape (n_features,) or None
        Standard deviation of each column in all the rows of which these are a part,
        where one of them is constant here: else nothing would tell its unit.
    """

    values: NDArray
    log_det: NDArray
    weight: NDArray | None = None
    context: NDArray | None = None
    kinds: NDArray | None = None
    names: NDArray | None = None
    n_jobs: int | None = None
    kept: NDArray | None = None
    unit: NDArray | None = None

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
    def has_context(self) -> bool:
        """Whether something is known that maps may depend on."""
        return self.context is not None

    @property
    def weights(self) -> NDArray:
        """The weights, ones where none were given."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def are_latent(self) -> bool:
        """Whether layers have changed the units of the rows: to those of the base."""
        return bool(self.log_det.any())

    @cached_property
    def extremes(self) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of each column, what is missing left out."""
        return _along(np.fmin, self.values), _along(np.fmax, self.values)

    def name(self, column: int) -> str:
        """Return what a message should call a column."""
        return str(column if self.names is None else self.names[column])

    def hashes(self, seed: int) -> NDArray:
        """Return a hash of each row's content that rounding hardly ever changes."""
        return hash_roughly(self.values, self.weight, seed)

    @cached_property
    def _digest(self) -> bytes:
        known = self.weight, self.context, self.kinds, self.names, self.kept, self.unit
        return digest((self.values, self.log_det, known))

    def digest(self) -> bytes:
        """Return a hash of all that a fit can depend on: the same in every process."""
        return self._digest

    def digest_of(self, part: str) -> bytes:
        """Return a hash of one thing that is known of each row, such as "values"."""
        return digest(getattr(self, part))

    # ------------------------------------------------------------------ two ways

    def sum(
        self,
        statistic: Callable[..., Any],
        *state: Any,
        each: Sequence[Any] | None = None,
    ) -> Any:
        """Add up ``statistic(block, *state)`` over blocks, in their order.

        Parameters
        ----------
        statistic : callable
            Takes `Rows`; returns what can be added, or a tuple of such things.
        *state : object
            Further arguments.
        each : sequence of object, default=None
            One more argument for each block, after the block: what an earlier sum has
            found out about it. That sum returns a list of one thing for a block; added
            up, these are such a sequence.

        Returns
        -------
        total : object
            The same for any number of threads.
        """

        def of_block(place: int) -> Any:
            block = self
            if len(self) > BLOCK_ROWS:
                start = place * BLOCK_ROWS
                block = self.take(slice(start, start + BLOCK_ROWS))
            known = () if each is None else (each[place],)
            return statistic(block, *known, *state)

        places = range(max(1, -(-len(self) // BLOCK_ROWS)))
        return reduce(add, map_threads(of_block, places, self.n_jobs))

    def through(self, map_: Map) -> "Rows":
        """Return the rows after a map."""
        run = lambda fill, blocks: map_threads(fill, blocks, self.n_jobs)
        values, log_det = in_blocks(map_.forward, self.values, self.context, run)
        return replace(
            self.moved(values, log_det),
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
        log_det = self.log_det + log_det
        return replace(self, values=values, log_det=log_det, names=None, unit=None)

    def spread(self, map_: Any) -> "Rows":
        """Return the rows after a map to values that they share out among them, each
        copy of a row another one: what a dequantizer's `spread_copies` gives.
        """
        values, log_det = map_.spread_copies(self.values)
        kinds = None if self.kinds is None else map_.kinds_after(self.kinds)
        log_det = self.log_det + log_det
        return replace(self, values=values, log_det=log_det, kinds=kinds, unit=None)

    def column_samples(self) -> list[tuple[NDArray, NDArray | None]]:
        """Return a sample of each column by itself: its values, and their weights.

        What is fitted to one column at a time sees it by this. In memory these are all
        rows as they are. Of rows that are not, they are quantile points, which add up
        over blocks. One way for both would cost digits here, and time: points of
        65,536 rows know quantiles to 1e-4, and are made by the sort that is to follow.
        """
        return [(column, self.weight) for column in self.values.T]

    # ------------------------------------------------------------------ parts

    def head(self, n_rows: int) -> NDArray:
        """Return the values of the first rows."""
        return self.values[:n_rows]

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

    def gathered(self) -> "Rows":
        """Return the rows in memory, or as many as that holds: what learns from rows
        otherwise than by sums over them is given these.
        """
        return self

    def few(self, n_rows: int, seed: int) -> "Rows":
        """Return about so many of the rows, drawn by content, in memory."""
        if len(self) <= n_rows:
            return self
        return self.take(np.argsort(self.hashes(seed), kind="stable")[:n_rows])

    def enough(self) -> "Rows":
        """Return as many rows, in memory, as tell a mean log density: all if they are
        there already.
        """
        return self

    def parts(self, n_rows: int) -> "list[Rows]":
        """Return runs of about so many rows, one after the other."""
        return [
            self.take(slice(start, start + n_rows))
            for start in range(0, len(self), n_rows)
        ]

    def select(self, test: Callable[["Rows"], NDArray]) -> "Rows":
        """Return the rows for which ``test(block)`` is true, itself if all are."""
        index = test(self)
        return self if index.all() else self.take(index)

    def after(
        self, step: Callable[["Rows"], "Rows"], n_features: int | None = None
    ) -> "Rows":
        """Return ``step(block)`` of each block, which has as many rows, and as many
        columns if ``n_features`` does not say how many.
        """
        return step(self)

    def ask(self, statistic: Callable[..., Any], *state: Any) -> Any:
        """Return ``statistic(rows, *state)`` of what is no sum over blocks."""
        return statistic(self, *state)

    def draw(self, n_rows: int, seed: int, along: NDArray | None = None) -> NDArray:
        """Return which rows are among so many different ones, drawn by content.

        Weights are repeated rows then.

        Parameters
        ----------
        n_rows : int
            Number of different rows, at most.
        seed : int
            Another seed, other rows.
        along : ndarray of shape (n_features, 1), default=None
            A direction: what a row is along it tells it from others, and is hashed at a
            fraction of the cost.

        Returns
        -------
        drawn : ndarray of bool of shape (n_samples,)
        """
        if len(self) <= n_rows:
            return np.ones(len(self), dtype=bool)
        told = self if along is None else Rows.of(self.values @ along, self.weight)
        hashes = told.hashes(seed)
        distinct = np.unique(hashes)
        if len(distinct) <= n_rows:
            return np.ones(len(self), dtype=bool)
        return hashes < distinct[n_rows]

    def weighted(self, weight: NDArray, size: Size | None = None) -> "Rows":
        """Return the rows under non-negative weights, without those of weight zero.

        Parameters
        ----------
        weight : ndarray of shape (n_rows,)
            Their weights.
        size : Size, default=None
            That of the weights of all rows, where these are a part of them.
        """
        weight = scale_weights(weight, size or size_of_weights(weight))
        rows, kept = replace(self, weight=weight), weight > 0
        return rows if kept.all() else replace(rows.take(kept), kept=kept)

    def unseen(self) -> "Rows":
        """Return the rows as if no layer had seen them: without log-determinants."""
        return replace(self, log_det=np.zeros(len(self)))

    def columns(self, columns: NDArray) -> "Rows":
        """Return some of the columns, as rows that no layer has seen yet."""
        return replace(
            self.unseen(),
            values=np.ascontiguousarray(self.values[:, columns]),
            kinds=None if self.kinds is None else self.kinds[columns],
            names=None if self.names is None else self.names[columns],
            unit=None if self.unit is None else self.unit[columns],
        )

    def split(self, cv: Any, validation_fraction: float, seed: int) -> "list[Fold]":
        """Return folds, by content; see `destructors.rows.make_splits`."""
        splits = make_splits(self, cv, validation_fraction, seed)
        return [
            Fold(self.take(train).with_unit_of(self), self.take(test))
            for train, test in splits
        ]

    def with_unit_of(self, whole: "Rows") -> "Rows":
        """Return the rows, which are some of others, and know the units of columns by
        these if they do not by themselves.
        """
        smallest, largest = self.extremes if len(self) else (0.0, 1.0)
        constant = np.equal(smallest, largest)
        if not constant.any() or np.array_equal(constant, np.equal(*whole.extremes)):
            return self
        # The module is built on this one.
        from destructors.rows._moments import mean_and_scale

        _, scale, _ = mean_and_scale(whole)
        return replace(self, unit=scale)

    def unique(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return the different rows, each with the weight of all that equal it.

        A fit on the result, whatever it does, takes weights for repeated rows and does
        not depend on the order of the rows.

        Returns
        -------
        rows : ndarray of shape (n_distinct, n_features)
            In an order that only the rows decide, and not their last bits.
        weight : ndarray of shape (n_distinct,)
            Sums of the weights.
        place : ndarray of shape (n_rows,)
            Where each row has gone: ``rows[place]`` equals ``values``.
        """
        hashes = hash_rows(self.values, 0)
        order = order_rows(self.values, self.weight, hashes)
        is_first = np.diff(hashes[order], prepend=~hashes[order[:1]]) != 0
        first, place = np.flatnonzero(is_first), np.empty(len(self), np.intp)
        place[order] = np.cumsum(is_first) - 1
        weight = np.add.reduceat(self.weights[order], first)
        return self.values[order[first]], weight, place

    # ------------------------------------------------------------------ scores

    def score(self, base: Any) -> float:
        """Mean log density under the layers so far and a base distribution, in nats."""
        log_density = base.logpdf(self.values) + self.log_det
        return weighted_mean(log_density, self.weight)


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to fit on, and rows to judge by.

    Parameters
    ----------
    train : Rows
        Rows to fit on.
    validation : Rows or None
        Held-out rows, if there are any.
    is_last : bool
        Whether no layer comes after the one that is fitted, so that nobody asks for the
        training rows behind it.
    is_trial : bool
        Whether the fit, to a few of the rows, only tells which of several layers is
        worth to be fitted to all: what would gain much the same in each is left out.
    """

    train: Rows
    validation: Rows | None = None
    is_last: bool = False
    is_trial: bool = False

    def each(self, change: Callable[..., Rows], *state: Any) -> "Fold":
        """Return both parts after a change: ``change(part, *state)`` of each."""
        held_out = self.validation
        if held_out is not None:
            held_out = change(held_out, *state)
        return replace(self, train=change(self.train, *state), validation=held_out)

    def validation_through(self, map_: Map) -> Rows | None:
        """Return the held-out rows after a map; None if there are none."""
        return None if self.validation is None else self.validation.through(map_)

    def through(self, map_: Map) -> "Fold":
        """Return both parts after a map."""
        return self.each(lambda rows: rows.through(map_))

    def digest(self) -> bytes:
        """Return a hash of both parts: the same in every process."""
        held_out = b"" if self.validation is None else self.validation.digest()
        return hash_parts(self.train.digest(), held_out)

    def score(self, base: Any) -> tuple[float, float]:
        """Mean log density of both parts, in nats; NaN where nothing is held out."""
        held_out = np.nan if self.validation is None else self.validation.score(base)
        return self.train.score(base), held_out


def make_splits(
    rows: Rows, cv: Any, validation_fraction: float, seed: int
) -> list[tuple[NDArray, NDArray]]:
    """Split rows as ``cv`` and ``validation_fraction`` of an estimator say.

    Parameters
    ----------
    rows : Rows
        The rows.
    cv : int, cross-validation generator, iterable or None
        None makes one split, an int that many folds.
    validation_fraction : float
        Share of the total weight to hold out, for one split.
    seed : int
        Seed of the split.

    Returns
    -------
    splits : list of (train, held_out) pairs of ndarray of int
        Indices of the rows.
    """
    X, weight = rows.values, rows.weight
    if cv is None:
        return [split_rows(X, weight, validation_fraction, seed)]
    if isinstance(cv, Integral):
        return fold_rows(X, weight, int(cv), seed)
    # Slow to import, and most fits do without.
    from sklearn.model_selection import check_cv

    # Indices from outside number the rows as they were given, those of weight zero too.
    kept = np.ones(len(X), bool) if rows.kept is None else rows.kept
    place = np.cumsum(kept) - 1
    return [
        tuple(place[rows][kept[rows]] for rows in map(np.asarray, split))
        for split in check_cv(cv).split(np.empty((len(kept), 1)))
    ]


def _along(least: np.ufunc, X: NDArray) -> NDArray:
    """Reduce columns, many rows at a time: row by row NumPy is ten times slower."""
    n, d = X.shape
    wide = int(np.sqrt(n))
    tall = n - n % wide
    parts = least.reduce(X[:tall].reshape(-1, wide * d), axis=0).reshape(wide, d)
    return least.reduce(np.concatenate([parts, X[tall:]]), axis=0)


def add(total: Any, part: Any) -> Any:
    """Return the sum of two statistics: each thing of a tuple by itself."""
    if isinstance(total, tuple):
        return tuple(map(add, total, part))
    return total + part
