"""Rows of which only a few blocks at a time are in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.maps._map import hash_parts
from destructors.rows import _splits as splits
from destructors.rows._digest import digest
from destructors.rows._passes import Blocks, Pass, Selected, Shares, Step
from destructors.rows._points import QuantilePoints
from destructors.rows._rows import Fold, Rows, add
from destructors.rows._running import map_threads
from destructors.rows._scratch import Scratch, ScratchBlocks

# Blocks that are asked for together: what comes out of them waits to be added up.
_N_TOGETHER = 32
# Rows that tell a mean log density to about 0.005 nats, if that is not more numbers.
_N_ENOUGH, _MOST_NUMBERS = 200_000, 2**24


@dataclass(frozen=True, eq=False)
class Origin:
    """Where rows begin: at a table on disk, or at a part of its rows.

    Parameters
    ----------
    load : callable
        Takes the number of a block and returns its `Rows`, the same each time.
    lengths : ndarray of int of shape (n_blocks,)
        Rows of each block.
    n_features : int
        Number of columns.
    has_weight : bool
        Whether rows have weights.
    scratch : Scratch
        Where blocks are written.
    names : ndarray of shape (n_features,) or None
        Names of the columns.
    n_jobs : int or None
        Threads that share the blocks.
    engine : Engine or None
        What is given the blocks in place of them.
    """

    load: Callable[[int], Rows]
    lengths: NDArray
    n_features: int
    has_weight: bool
    scratch: Scratch
    names: NDArray | None = None
    n_jobs: int | None = None
    engine: Any = None


class StoredRows(Rows):
    """Rows that a learner sees by `sum`, `through`, `column_samples` and what is made
    of these: all that asks for an array of them is an error.

    What layers have made of a block lies in a folder. That is a cache: a block that is
    lost is computed again, from the origin and the maps, to the same bits.

    Parameters
    ----------
    origin : Origin
        Where they begin.
    steps : tuple of callable
        What has been done to each block since, in order.
    cache : ScratchBlocks, default=None
        The blocks after the first ``n_cached`` steps.
    n_cached : int, default=0
        Number of these.
    names : ndarray of shape (n_features,) or None
        Names of the columns now.
    n_features : int, default=None
        Number of columns now; None for that of the origin.
    """

    def __init__(
        self,
        origin: Origin,
        steps: tuple[Step, ...] = (),
        cache: ScratchBlocks | None = None,
        n_cached: int = 0,
        names: NDArray | None = None,
        n_features: int | None = None,
    ):
        # Past the fields of the base class, which is frozen.
        self.__dict__.update(
            origin=origin,
            steps=steps,
            cache=cache,
            n_cached=n_cached,
            names=names,
            n_jobs=origin.n_jobs,
            _n_features=origin.n_features if n_features is None else n_features,
        )

    origin: Origin
    steps: tuple[Step, ...]
    cache: ScratchBlocks | None
    n_cached: int
    _n_features: int

    # ------------------------------------------------------------------ what they are

    def __len__(self) -> int:
        return int(self.origin.lengths.sum())

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self._n_features

    @cached_property
    def total(self) -> float:
        """Number of rows, or sum of their weights."""
        if not self.origin.has_weight:
            return float(len(self))
        return float(sum(self.each_block(_total)))

    @cached_property
    def extremes(self) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of each column."""
        return _join(self.each_block(_extremes))

    def know_extremes(self, of_blocks: Iterable[tuple[NDArray, NDArray]]) -> None:
        """Keep the extremes, from those of the blocks."""
        self.__dict__["extremes"] = _join(of_blocks)

    @cached_property
    def _digest(self) -> bytes:
        return hash_parts(digest(self.names), *self.each_block(Rows.digest))

    def digest_of(self, part: str) -> bytes:
        """Return a hash of one thing that is known of each row, such as "values"."""
        return hash_parts(*self.each_block(Rows.digest_of, state=(part,)))

    def __repr__(self) -> str:
        return f"StoredRows({len(self)} rows of {self.n_features} features)"

    def _not_in_memory(self) -> NoReturn:
        raise TypeError(
            "This step of the fit needs all rows in memory at once, and they are read "
            "from disk in blocks."
        )

    @property
    def values(self) -> NDArray:
        """Raise TypeError: there is no array of all rows."""
        self._not_in_memory()

    @property
    def log_det(self) -> NDArray:
        """Raise TypeError: there is no array of all rows."""
        self._not_in_memory()

    @property
    def weight(self) -> NDArray | None:
        """None without weights; else raise TypeError."""
        if not self.origin.has_weight:
            return None
        self._not_in_memory()

    # ------------------------------------------------------------------ blocks

    @property
    def blocks(self) -> Blocks:
        """How a block comes about."""
        origin = self.origin
        return Blocks(
            origin.load, origin.has_weight, self.steps, self.cache, self.n_cached
        )

    def each_block(
        self,
        function: Callable[..., Any],
        *each: Sequence[Any],
        state: tuple[Any, ...] = (),
    ) -> Iterator:
        """Yield ``function(block, *known, *state)`` for each block, in their order."""
        places = np.flatnonzero(self.origin.lengths).tolist()
        known = zip(*each, strict=True) if each else [()] * len(places)
        jobs = list(zip(places, known, strict=True))
        work, engine = Pass(self.blocks, function, state), self.origin.engine
        if engine is not None:
            yield from engine.each(work, jobs)
            return
        for start in range(0, len(jobs), _N_TOGETHER):
            some = jobs[start : start + _N_TOGETHER]
            yield from map_threads(lambda job: work(*job), some, self.n_jobs)

    # ------------------------------------------------------------------ two ways

    def sum(
        self,
        statistic: Callable[..., Any],
        *state: Any,
        each: Sequence[Any] | None = None,
    ) -> Any:
        """Add up ``statistic(block, *state)`` over blocks; see `Rows.sum`."""
        known = () if each is None else (each,)
        return reduce(add, self.each_block(statistic, *known, state=state))

    def through(self, map_: Map) -> "StoredRows":
        """Return the rows after a map, written down in blocks."""
        n_more = 1 + self.origin.has_weight
        cache = self.origin.scratch.new_blocks(len(self), self.n_features + n_more)
        places = np.flatnonzero(self.origin.lengths).tolist()
        after = self.after(
            partial(Rows.through, map_=map_),
            names=self.names if map_.feature_wise else None,
        )
        after.__dict__.update(cache=cache, n_cached=len(after.steps))
        # They are asked for next, and known where they were made.
        after.know_extremes(
            self.each_block(_write_through, places, state=(map_, cache))
        )
        if "total" in self.__dict__:
            after.__dict__["total"] = self.total
        return after

    def after(
        self, step: Step, n_features: int | None = None, **changed: Any
    ) -> "StoredRows":
        """Return the rows after a step that is taken when a block is read."""
        state = {
            "cache": self.cache,
            "n_cached": self.n_cached,
            "names": self.names,
            "n_features": self.n_features if n_features is None else n_features,
        }
        return StoredRows(self.origin, (*self.steps, step), **(state | changed))

    def column_samples(self) -> list[tuple[NDArray, NDArray | None]]:
        """Return quantile points of each column; see `Rows.column_samples`."""
        return [points.merged() for points in self.sum(_points_of_columns)]

    # ------------------------------------------------------------------ parts

    def head(self, n_rows: int) -> NDArray:
        """Return the first rows: not more than there are in the first block."""
        place = int(np.flatnonzero(self.origin.lengths)[0])
        return self.blocks.read(place).values[:n_rows]

    def unseen(self) -> "StoredRows":
        """Return the rows as if no layer had seen them: without log-determinants."""
        return self.after(Rows.unseen)

    def columns(self, columns: NDArray) -> "StoredRows":
        """Return some of the columns, as rows that no layer has seen yet."""
        names = None if self.names is None else self.names[columns]
        step = partial(Rows.columns, columns=columns)
        return self.after(step, names=names, n_features=len(columns))

    def select(self, test: Callable[[Rows], NDArray]) -> "StoredRows":
        """Return the rows for which ``test(block)`` is true, itself if all are."""
        sizes = np.zeros_like(self.origin.lengths)
        full = np.flatnonzero(self.origin.lengths)
        sizes[full] = list(self.each_block(_count, state=(test,)))
        return self if sizes.sum() == len(self) else self._part(sizes, test)

    def few(self, n_rows: int, seed: int) -> Rows:
        """Return about so many of the rows, drawn by content, in memory."""
        share = min(n_rows / max(len(self), 1), 1.0)
        return self._gather(np.array([share]), 0, seed)

    def enough(self) -> Rows:
        """Return as many rows, in memory, as tell a mean log density."""
        return self.few(min(_N_ENOUGH, _MOST_NUMBERS // self.n_features), 0)

    def deal(self, part: int, n_parts: int, seed: int) -> Rows:
        """Return one of the parts that the rows are dealt to by content, in memory.

        Whatever the order of the table, each part is as good a sample as any.
        """
        return self._gather(np.arange(1, n_parts) / n_parts, part, seed)

    def parts(self, n_rows: int) -> "list[Rows]":
        """Return blocks that hold about so many rows, one after the other."""
        lengths = self.origin.lengths
        part_of = (np.cumsum(lengths) - lengths) // n_rows
        return [
            self._blocks_where(part_of == part)
            for part in np.unique(part_of[lengths > 0]).tolist()
        ]

    def _blocks_where(self, chosen: NDArray) -> "StoredRows":
        """Return the rows of some of the blocks."""
        return StoredRows(
            replace(self.origin, lengths=np.where(chosen, self.origin.lengths, 0)),
            self.steps,
            self.cache,
            self.n_cached,
            self.names,
            self.n_features,
        )

    def _gather(self, ends: NDArray, part: int, seed: int) -> Rows:
        """Return the rows in whose hashes' share their own lies, in memory."""
        shares = Shares.of(ends, self._units, seed)
        drawn = list(self.each_block(_take, state=(shares.within, part)))
        weight = None
        if self.origin.has_weight:
            weight = np.concatenate([block.weights for block in drawn])
        return Rows(
            np.concatenate([block.values for block in drawn]),
            np.concatenate([block.log_det for block in drawn]),
            weight,
            names=self.names,
            n_jobs=self.n_jobs,
        )

    @cached_property
    def _units(self) -> NDArray:
        """Middle and unit of each column, by which rows are hashed."""
        return np.transpose(
            [splits.column_unit(*some) for some in self.column_samples()]
        )

    def _part(self, sizes: NDArray, test: Callable[[Rows], NDArray]) -> "StoredRows":
        """Return the rows for which ``test(block)`` is true."""
        origin = replace(
            self.origin,
            load=Selected(self.blocks, test),
            lengths=sizes,
            n_features=self.n_features,
            names=self.names,
        )
        return StoredRows(origin, names=self.names)

    def split(self, cv: Any, validation_fraction: float, seed: int) -> list[Fold]:
        """Return folds, by content, as `Rows.split` does.

        A row goes to the fold in whose share of all hashes its own lies, so that blocks
        can be split one after the other. In memory the shares are those of the rows
        that are there, here those to be expected: of the many rows of several blocks
        the parts are as large as asked for but for a few rows.
        """
        if cv is None:
            ends = np.array([validation_fraction])
        elif isinstance(cv, Integral):
            ends = np.arange(1, int(cv)) / int(cv)
        else:
            raise TypeError(
                "cv must be None or a number of folds for rows that are read from "
                f"disk, whose order has no numbers; got {cv!r}."
            )
        shares, lengths = Shares.of(ends, self._units, seed), self.origin.lengths
        sizes = np.zeros((len(lengths), len(ends) + 1), dtype=lengths.dtype)
        sizes[np.flatnonzero(lengths)] = list(self.each_block(shares.count))
        if not sizes.any(axis=0).all():
            raise ValueError(
                "There are too few different rows to hold some of them out. Set "
                "early_stopping=False, or give X_val."
            )
        return [
            Fold(
                self._part(lengths - sizes[:, i], partial(shares.outside, part=i)),
                self._part(sizes[:, i], partial(shares.within, part=i)),
            )
            for i in range(1 if cv is None else len(ends) + 1)
        ]

    def take(self, index: Any) -> NoReturn:
        """Raise TypeError: rows have no numbers here."""
        self._not_in_memory()

    def weighted(self, weight: NDArray, size: Any = None) -> NoReturn:
        """Raise TypeError: weights are given where the table is opened."""
        self._not_in_memory()

    # ------------------------------------------------------------------ scores

    def score(self, base: Any) -> float:
        """Mean log density under the layers so far and a base distribution, in nats."""
        # Shares first, as in memory.
        return self.sum(_share_of_score, base, self.total)


def _share_of_score(rows: Rows, base: Any, total: float) -> float:
    log_density = base.logpdf(rows.values) + rows.log_det
    return float(log_density @ (rows.weights / total))


def _points_of_columns(rows: Rows) -> tuple[QuantilePoints, ...]:
    return tuple(QuantilePoints.of(column, rows.weight) for column in rows.values.T)


def _write_through(
    rows: Rows, place: int, map_: Map, cache: ScratchBlocks
) -> tuple[NDArray, NDArray]:
    rows = rows.through(map_)
    cache.write(place, rows)
    return rows.extremes


def _extremes(rows: Rows) -> tuple[NDArray, NDArray]:
    return rows.extremes


def _total(rows: Rows) -> float:
    return rows.total


def _count(rows: Rows, test: Callable[[Rows], NDArray]) -> int:
    return int(test(rows).sum())


def _take(rows: Rows, test: Callable[..., NDArray], *state: Any) -> Rows:
    return rows.take(test(rows, *state))


def _join(ends: Iterable[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    """Return extremes of columns from those of blocks."""
    smallest, largest = zip(*ends, strict=True)
    return np.fmin.reduce(smallest), np.fmax.reduce(largest)
