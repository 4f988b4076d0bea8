"""Rows of which only a few blocks at a time are in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial, reduce
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.maps._map import hash_parts
from destructors.rows import _asked as asked
from destructors.rows import _splits as splits
from destructors.rows._digest import digest
from destructors.rows._distinct import Distinct
from destructors.rows._errors import FewRowsError
from destructors.rows._passes import (
    Blocks,
    Origin,
    Pass,
    Selected,
    Shares,
    Step,
    crossed,
)
from destructors.rows._rows import Fold, Rows, add
from destructors.rows._running import map_threads
from destructors.rows._scratch import ScratchBlocks

# Blocks that are asked for together: what comes out of them waits to be added up.
_N_TOGETHER = 32
# Numbers that are gathered in memory at once, 134 MB: what does not learn by sums over
# blocks learns from so many.
_MOST_NUMBERS = 2**24
# Rows that tell a mean log density to about 0.005 nats, if that is not more numbers.
_N_ENOUGH = 200_000
# Seeds of the rows that are gathered, and of the halves of a table.
_SEED_GATHERED, _SEED_HALVES = 0, 1


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
    kinds : ndarray of shape (n_features,) or None
        Kinds of the columns now.
    """

    def __init__(
        self,
        origin: Origin,
        steps: tuple[Step, ...] = (),
        cache: ScratchBlocks | None = None,
        n_cached: int = 0,
        names: NDArray | None = None,
        n_features: int | None = None,
        kinds: NDArray | None = None,
    ):
        # Past the fields of the base class, which is frozen.
        self.__dict__.update(
            origin=origin,
            steps=steps,
            cache=cache,
            n_cached=n_cached,
            names=names,
            kinds=kinds,
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
        return float(sum(self.each_block(asked.total)))

    @property
    def are_latent(self) -> bool:
        """Whether layers have changed the units of the rows: to those of the base."""
        return self._first_block().are_latent

    @cached_property
    def extremes(self) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of each column."""
        return asked.join(self.each_block(asked.extremes))

    def know_extremes(self, of_blocks: Iterable[tuple[NDArray, NDArray]]) -> None:
        """Keep the extremes, from those of the blocks."""
        self.__dict__["extremes"] = asked.join(of_blocks)

    @cached_property
    def _digest(self) -> bytes:
        return hash_parts(
            digest((self.names, self.kinds)), *self.each_block(Rows.digest)
        )

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

    @property
    def context(self) -> NDArray | None:
        """None if there is none; else raise TypeError."""
        if not self.has_context:
            return None
        self._not_in_memory()

    @property
    def has_context(self) -> bool:
        """Whether something is known that maps may depend on."""
        return self.origin.has_context

    # ------------------------------------------------------------------ blocks

    @property
    def blocks(self) -> Blocks:
        """How a block comes about."""
        return Blocks(self.origin.load, self.steps, self.cache, self.n_cached)

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
        return self._written(
            partial(Rows.through, map_=map_),
            map_,
            names=self.names if map_.feature_wise else None,
        )

    def spread(self, map_: Any) -> "StoredRows":
        """Return the rows after a map; see `Rows.spread`. Copies of a row in one block
        are told apart.
        """
        return self._written(partial(Rows.spread, map_=map_), map_, self.names)

    def halves(self) -> tuple[Shares, "list[Rows]"]:
        """Return how the rows are halved by content, and the rows of each half that are
        gathered in memory.
        """
        halves = Shares.of(np.array([0.5]), self._units, _SEED_HALVES)
        parts = [
            self._part(self._sizes(test), test).gathered()
            for test in (partial(halves.within, part=part) for part in (0, 1))
        ]
        return halves, parts

    def through_halves(self, halves: Shares, maps: tuple[Map, ...]) -> "StoredRows":
        """Return the rows after maps, each half after its own."""
        return self._written(partial(crossed, shares=halves, maps=maps), maps[0])

    def _written(self, step: Step, map_: Map, names: Any = None) -> "StoredRows":
        """Return the rows after a step, written down in blocks."""
        n_more = 1 + self.origin.has_weight + self.has_context
        cache = self.origin.scratch.new_blocks(len(self), self.n_features + n_more)
        places = np.flatnonzero(self.origin.lengths).tolist()
        kinds = None if self.kinds is None else map_.kinds_after(self.kinds)
        after = self.after(step, names=names, kinds=kinds)
        after.__dict__.update(cache=cache, n_cached=len(after.steps))
        # They are asked for next, and known where they were made.
        after.know_extremes(
            self.each_block(asked.write_after, places, state=(step, cache))
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
            "kinds": self.kinds,
            "n_features": self.n_features if n_features is None else n_features,
        }
        return StoredRows(self.origin, (*self.steps, step), **(state | changed))

    def column_samples(self) -> list[tuple[NDArray, NDArray | None]]:
        """Return quantile points of each column; see `Rows.column_samples`."""
        return [points.merged() for points in self.sum(asked.points_of_columns)]

    # ------------------------------------------------------------------ parts

    def head(self, n_rows: int) -> NDArray:
        """Return the first rows: not more than there are in the first block."""
        return self._first_block().values[:n_rows]

    def _first_block(self) -> Rows:
        return self.blocks.read(int(np.flatnonzero(self.origin.lengths)[0]))

    def unseen(self) -> "StoredRows":
        """Return the rows as if no layer had seen them: without log-determinants."""
        return self.after(Rows.unseen)

    def columns(self, columns: NDArray) -> "StoredRows":
        """Return some of the columns, as rows that no layer has seen yet."""
        names = None if self.names is None else self.names[columns]
        kinds = None if self.kinds is None else self.kinds[columns]
        step = partial(Rows.columns, columns=columns)
        return self.after(step, names=names, kinds=kinds, n_features=len(columns))

    def select(self, test: Callable[[Rows], NDArray]) -> "StoredRows":
        """Return the rows for which ``test(block)`` is true, itself if all are."""
        sizes = self._sizes(test)
        return self if sizes.sum() == len(self) else self._part(sizes, test)

    def _sizes(self, test: Callable[[Rows], NDArray]) -> NDArray:
        """Return for how many rows of each block ``test(block)`` is true."""
        sizes = np.zeros_like(self.origin.lengths)
        full = np.flatnonzero(self.origin.lengths)
        sizes[full] = list(self.each_block(asked.count, state=(test,)))
        return sizes

    def gathered(self) -> Rows:
        """Return the rows, drawn by content if they are more than memory holds."""
        return self.few(_MOST_NUMBERS // self.n_features, _SEED_GATHERED)

    def unique(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return the different rows, and the weight of all that equal them, as
        `Rows.unique` does; where these are more than memory holds, of as many as it
        does, drawn by content, with weights that make up for the others. Places are
        those of the different rows.
        """
        most = _MOST_NUMBERS // self.n_features
        return self.sum(Distinct.of, most).rows(self.kinds).unique()

    def few(self, n_rows: int, seed: int) -> Rows:
        """Return about so many of the rows, drawn by content, in memory."""
        if len(self) <= n_rows:
            return self._collect(list(self.each_block(asked.itself)))
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
            self.kinds,
        )

    def _gather(self, ends: NDArray, part: int, seed: int) -> Rows:
        """Return the rows in whose hashes' share their own lies, in memory."""
        shares = Shares.of(ends, self._units, seed)
        drawn = list(self.each_block(asked.take, state=(shares.within, part)))
        return self._collect(drawn)

    def _collect(self, drawn: list[Rows]) -> Rows:
        """Return rows of all blocks in memory."""
        join = lambda part: np.concatenate([getattr(block, part) for block in drawn])
        return Rows(
            join("values"),
            join("log_det"),
            join("weights") if self.origin.has_weight else None,
            context=join("context") if self.has_context else None,
            kinds=self.kinds,
            names=self.names,
            n_jobs=self.n_jobs,
        )

    @cached_property
    def _units(self) -> NDArray | None:
        """Middle and unit of each column, by which rows are hashed; None for codes."""
        if self.origin.kinds is not None:
            return None
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
            kinds=self.kinds,
        )
        return StoredRows(origin, names=self.names, kinds=self.kinds)

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
            raise FewRowsError(
                "There are too few different rows to hold some of them out."
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
        return self.sum(asked.share_of_score, base, self.total)
