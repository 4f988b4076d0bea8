"""Rows of which only a few blocks at a time are in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.maps._map import hash_parts
from destructors.rows import _splits as splits
from destructors.rows._digest import digest
from destructors.rows._points import QuantilePoints
from destructors.rows._rows import Fold, Rows, add
from destructors.rows._running import map_threads
from destructors.rows._scratch import Scratch, ScratchBlocks

Step = Callable[[Rows], Rows]

# Blocks that are asked for together: what comes out of them waits to be added up.
_N_TOGETHER = 32


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
    engine : Executor or None
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
        return float(sum(self.each_block(lambda block: block.total)))

    @cached_property
    def extremes(self) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of each column."""
        return _join(self.each_block(lambda block: block.extremes))

    def know_extremes(self, of_blocks: Iterable[tuple[NDArray, NDArray]]) -> None:
        """Keep the extremes, from those of the blocks."""
        self.__dict__["extremes"] = _join(of_blocks)

    @cached_property
    def _digest(self) -> bytes:
        return hash_parts(digest(self.names), *self.each_block(Rows.digest))

    def digest_of(self, part: str) -> bytes:
        """Return a hash of one thing that is known of each row, such as "values"."""
        return hash_parts(*self.each_block(lambda block: block.digest_of(part)))

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

    def block(self, place: int) -> Rows:
        """Return a block."""
        rows, todo = None, self.steps
        if self.cache is not None:
            rows = self.cache.read(place, self.origin.has_weight)
        if rows is None:
            rows = self.origin.load(place)
        else:
            todo = self.steps[self.n_cached :]
        for step in todo:
            rows = step(rows)
        return rows

    def each_block(
        self, function: Callable[..., Any], *each: Sequence[Any]
    ) -> Iterator:
        """Yield ``function(block, *known)`` for each block, in their order."""
        places = np.flatnonzero(self.origin.lengths).tolist()
        engine = self.origin.engine

        def of_block(job: tuple[int, tuple[Any, ...]]) -> Any:
            place, known = job
            return function(self.block(place), *known)

        jobs = list(
            zip(
                places,
                zip(*each, strict=True) if each else [()] * len(places),
                strict=True,
            )
        )
        for start in range(0, len(jobs), _N_TOGETHER):
            some = jobs[start : start + _N_TOGETHER]
            if engine is None:
                yield from map_threads(of_block, some, self.n_jobs)
            else:
                futures = [engine.submit(of_block, job) for job in some]
                yield from (future.result() for future in futures)

    # ------------------------------------------------------------------ two ways

    def sum(
        self,
        statistic: Callable[..., Any],
        *state: Any,
        each: Sequence[Any] | None = None,
    ) -> Any:
        """Add up ``statistic(block, *state)`` over blocks; see `Rows.sum`."""
        known = () if each is None else (each,)
        parts = self.each_block(lambda *about: statistic(*about, *state), *known)
        return reduce(add, parts)

    def through(self, map_: Map) -> "StoredRows":
        """Return the rows after a map, written down in blocks."""
        n_more = 1 + self.origin.has_weight
        cache = self.origin.scratch.new_blocks(len(self), self.n_features + n_more)
        places = np.flatnonzero(self.origin.lengths).tolist()
        after = self.after(
            lambda block: block.through(map_),
            names=self.names if map_.feature_wise else None,
        )
        after.__dict__.update(cache=cache, n_cached=len(after.steps))

        def write(block: Rows, place: int) -> tuple[NDArray, NDArray]:
            block = block.through(map_)
            cache.write(place, block)
            return block.extremes

        # They are asked for next, and known where they were made.
        after.know_extremes(self.each_block(write, places))
        if "total" in self.__dict__:
            after.__dict__["total"] = self.total
        return after

    def after(self, step: Step, **changed: Any) -> "StoredRows":
        """Return the rows after a step that is taken when a block is read."""
        state = {
            "cache": self.cache,
            "n_cached": self.n_cached,
            "names": self.names,
            "n_features": self.n_features,
        }
        return StoredRows(self.origin, (*self.steps, step), **(state | changed))

    def column_samples(self) -> list[tuple[NDArray, NDArray | None]]:
        """Return quantile points of each column; see `Rows.column_samples`."""
        return [points.merged() for points in self.sum(_points_of_columns)]

    # ------------------------------------------------------------------ parts

    def head(self, n_rows: int) -> NDArray:
        """Return the first rows: not more than there are in the first block."""
        return self.block(int(np.flatnonzero(self.origin.lengths)[0])).values[:n_rows]

    def unseen(self) -> "StoredRows":
        """Return the rows as if no layer had seen them: without log-determinants."""
        return self.after(Rows.unseen)

    def columns(self, columns: NDArray) -> "StoredRows":
        """Return some of the columns, as rows that no layer has seen yet."""
        names = None if self.names is None else self.names[columns]
        return self.after(
            lambda block: block.columns(columns), names=names, n_features=len(columns)
        )

    def select(self, test: Callable[[Rows], NDArray]) -> "StoredRows":
        """Return the rows for which ``test(block)`` is true, itself if all are."""
        sizes = np.zeros_like(self.origin.lengths)
        full = np.flatnonzero(self.origin.lengths)
        sizes[full] = list(self.each_block(lambda block: int(test(block).sum())))
        if sizes.sum() == len(self):
            return self
        return self._part(sizes, lambda block, _: test(block))

    def few(self, n_rows: int, seed: int) -> Rows:
        """Return about so many of the rows, drawn by content, in memory."""
        share = min(n_rows / max(len(self), 1), 1.0)
        units, end = self._units, np.uint64(min(int(share * 2.0**64), 2**64 - 1))

        def draw(block: Rows) -> Rows:
            return block.take(splits.hash_in_units(block.values, units, seed) <= end)

        drawn = list(self.each_block(draw))
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

    def _part(
        self, sizes: NDArray, test: Callable[[Rows, int], NDArray]
    ) -> "StoredRows":
        """Return the rows for which ``test(block, place)`` is true."""

        def load(place: int) -> Rows:
            block = self.block(place)
            return block.take(test(block, place))

        origin = replace(
            self.origin,
            load=load,
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
        units = self._units
        edges = np.array(
            [min(int(end * 2.0**64), 2**64 - 1) for end in ends], np.uint64
        )

        def place(block: Rows) -> NDArray:
            hashes = splits.hash_in_units(block.values, units, seed)
            return np.searchsorted(edges, hashes, side="right").astype(np.uint8)

        lengths = self.origin.lengths
        placed: list[NDArray] = [np.empty(0, np.uint8)] * len(lengths)
        full = np.flatnonzero(lengths)
        for i, folds in zip(full, self.each_block(place), strict=True):
            placed[i] = folds
        sizes = np.array([np.bincount(p, minlength=len(ends) + 1) for p in placed])
        if not sizes.any(axis=0).all():
            raise ValueError(
                "There are too few different rows to hold some of them out. Set "
                "early_stopping=False, or give X_val."
            )

        def part(fold: int, inside: bool) -> StoredRows:
            size = sizes[:, fold] if inside else lengths - sizes[:, fold]
            return self._part(size, lambda _, at: (placed[at] == fold) == inside)

        held_out = range(len(ends) + 1) if cv is not None else range(1)
        return [Fold(part(fold, False), part(fold, True)) for fold in held_out]

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


def _join(ends: Iterable[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    """Return extremes of columns from those of blocks."""
    smallest, largest = zip(*ends, strict=True)
    return np.fmin.reduce(smallest), np.fmax.reduce(largest)
