"""One pass over the blocks of a table: what a worker is told, wherever it is.

All of it can be pickled and is small: where blocks lie, and what has been done to them
since. Rows themselves do not travel.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.maps._hash import hash_rows
from destructors.rows._rows import Rows
from destructors.rows._scratch import Scratch, ScratchBlocks
from destructors.rows._splits import hash_in_units
from destructors.rows._weights import Size

Step = Callable[[Rows], Rows]


@dataclass(frozen=True, eq=False)
class Blocks:
    """How a block comes about: it is read, or computed again.

    Parameters
    ----------
    load : callable
        Takes the number of a block and returns its `Rows`, the same each time.
    steps : tuple of callable
        What has been done to each block since, in order.
    cache : ScratchBlocks, default=None
        The blocks after the first ``n_cached`` steps.
    n_cached : int, default=0
        Number of these.
    """

    load: Callable[[int], Rows]
    steps: tuple[Step, ...] = ()
    cache: ScratchBlocks | None = None
    n_cached: int = 0

    def read(self, place: int) -> Rows:
        """Return a block."""
        rows, todo = None, self.steps
        if self.cache is not None:
            rows = self.cache.read(place)
        if rows is None:
            rows = self.load(place)
        else:
            todo = self.steps[self.n_cached :]
        for step in todo:
            rows = step(rows)
        return rows


@dataclass(frozen=True, eq=False)
class Pass:
    """What is done to each block.

    Parameters
    ----------
    blocks : Blocks
        How one comes about.
    function : callable
        Takes a block, what is known of it, and the state.
    state : tuple
        The same for all blocks.
    """

    blocks: Blocks
    function: Callable[..., Any]
    state: tuple[Any, ...] = ()
    # How the process that asks takes overflow and the like.
    errors: Any = field(default_factory=np.geterr)

    def __call__(self, place: int, known: tuple[Any, ...]) -> Any:
        """Return what the function makes of a block."""
        with np.errstate(**self.errors):
            return self.function(self.blocks.read(place), *known, *self.state)


@dataclass(frozen=True, eq=False)
class Table:
    """The blocks of a table, to learn from.

    Parameters
    ----------
    read : callable
        Takes the number of a block, and returns its `Rows` from the source, with
        weights as they are there.
    spool : ScratchBlocks or None
        Its blocks, where they can be read in order only.
    size : Size or None
        How large these are.
    """

    read: Callable[[int], Rows]
    spool: ScratchBlocks | None
    size: Size | None

    def __call__(self, place: int) -> Rows:
        """Return a block."""
        rows = None
        if self.spool is not None:
            rows = self.spool.read(place)
        if rows is None:
            rows = self.read(place)
        return rows if rows.weight is None else rows.weighted(rows.weight, self.size)


class Selected:
    """Some of the rows of each block.

    Parameters
    ----------
    blocks : Blocks
        All of the rows.
    test : callable
        Takes a block and returns which of its rows there are.
    """

    def __init__(self, blocks: Blocks, test: Callable[[Rows], NDArray]):
        self._blocks, self._test = blocks, test
        # A bit for each row is small beside a hash of it. It does not travel.
        self._known: dict[int, NDArray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_blocks": self._blocks, "_test": self._test, "_known": {}}

    def __call__(self, place: int) -> Rows:
        """Return a block."""
        block = self._blocks.read(place)
        if place not in self._known:
            self._known[place] = np.packbits(self._test(block))
        bits = np.unpackbits(self._known[place], count=len(block))
        return block.take(bits.astype(bool))


@dataclass(frozen=True, eq=False)
class Shares:
    """Parts of the rows by content: a row goes to that in whose share of all hashes its
    own lies.

    Parameters
    ----------
    ends : ndarray of shape (n_parts - 1,), dtype uint64
        Where one share ends and the next begins.
    units : ndarray or None
        Middle and unit of each column, by which rows are hashed; None hashes all
        digits, those of codes and of what is missing too.
    seed : int
        Seed of the hashes.
    """

    ends: NDArray
    units: NDArray | None
    seed: int

    @classmethod
    def of(cls, fractions: NDArray, units: NDArray | None, seed: int) -> "Shares":
        """Return shares that end at these fractions of all."""
        ends = [min(int(end * 2.0**64), 2**64 - 1) for end in fractions]
        return cls(np.array(ends, np.uint64), units, seed)

    def part_of(self, rows: Rows) -> NDArray:
        """Return the part that each row goes to."""
        if self.units is None:
            hashes = hash_rows(rows.values, self.seed)
        else:
            hashes = hash_in_units(rows.values, self.units, self.seed)
        return np.searchsorted(self.ends, hashes, side="right")

    def count(self, rows: Rows) -> NDArray:
        """Return how many rows go to each part."""
        return np.bincount(self.part_of(rows), minlength=len(self.ends) + 1)

    def within(self, rows: Rows, part: int) -> NDArray:
        """Return which rows go to a part."""
        return self.part_of(rows) == part

    def outside(self, rows: Rows, part: int) -> NDArray:
        """Return which rows go to another part."""
        return self.part_of(rows) != part


def crossed(rows: Rows, shares: Shares, maps: tuple[Map, ...]) -> Rows:
    """Return rows after maps: each part of them after its own."""
    part_of = shares.part_of(rows)
    values, log_det = np.empty(rows.values.shape), np.empty(len(rows))
    for part, map_ in enumerate(maps):
        own = part_of == part
        context = None if rows.context is None else rows.context[own]
        values[own], log_det[own] = map_.forward(rows.values[own], context)
    kinds = None if rows.kinds is None else maps[0].kinds_after(rows.kinds)
    return replace(rows.moved(values, log_det), kinds=kinds)


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
    kinds : ndarray of shape (n_features,) or None
        Kind of each column; see `Rows`.
    has_context : bool
        Whether rows have a context.
    """

    load: Callable[[int], Rows]
    lengths: NDArray
    n_features: int
    has_weight: bool
    scratch: Scratch
    names: NDArray | None = None
    n_jobs: int | None = None
    engine: Any = None
    kinds: NDArray | None = None
    has_context: bool = False
