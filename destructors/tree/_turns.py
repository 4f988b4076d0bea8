"""Growing trees on rows that are not in memory: a few on one part, then on the next."""

from collections.abc import Callable

from numpy.typing import NDArray

from destructors.maps import Affine
from destructors.maps._trees import Trees
from destructors.rows import Fold, Rows, StoredRows
from destructors.tree._growth import CubeFold, CubeRows, Remembered
from destructors.tree._rule import GrowthRule

# Trees that are grown on a part before the next has its turn, and numbers in its rows.
# On 900,000 rows of five columns, held-out rows lost 0.008 nats of 0.027 to trees that
# had seen all rows where parts had 65,536 rows, 0.003 at 250,000 and 0.001 to 0.002 at
# 500,000; three trees a turn did no better than ten. Arrays of so many numbers take 32
# MiB, and there are a few.
_N_TREES, _N_NUMBERS = 10, 2**22
# Of the parts.
_SEED = 1


def count_parts(rows: Rows) -> int:
    """Return how many parts of the rows take turns: one, if all are in memory."""
    if not isinstance(rows, StoredRows):
        return 1
    return max(1, round(len(rows) * rows.n_features / _N_NUMBERS))


class Turns(CubeFold):
    """A fold of which one part of the training rows is in the cube at a time.

    Rows are dealt to parts by content. While another part has its turn, rows lie in the
    scratch folder as the trees so far have left them; the trees since then move them
    when they come back. That is a cache: rows that are lost there are dealt again.

    Parameters
    ----------
    fold : Fold
        Rows, of which those to train on are not in memory.
    spread : callable
        What spreads rows of a fold over the values that they share.
    units, rule, remembered, seed : object
        As in `CubeFold`.
    """

    def __init__(
        self,
        fold: Fold,
        spread: Callable[[Fold], Fold],
        units: Affine,
        rule: GrowthRule,
        remembered: Remembered,
        seed: int | None = None,
    ):
        assert isinstance(fold.train, StoredRows)
        self._stored, self._spread = fold.train, spread
        self._held_out = fold.validation
        n_rows, d = len(fold.train), fold.train.n_features
        self._n_parts = count_parts(fold.train)
        self._cache = fold.train.origin.scratch.new_blocks(n_rows, d + 2)
        # Of the parts that lie there: how many trees have moved them.
        self._kept: dict[int, int] = {}
        self._part = self._n_moved = 0
        super().__init__(self._deal(0), units, rule, remembered, seed)
        if self.validation is not None:
            self.validation.origin = None

    def holds(self, rows: Rows) -> bool:
        """Return False: rows leave by the map of all trees."""
        return False

    def _deal(self, part: int) -> Fold:
        rows = self._stored.deal(part, self._n_parts, _SEED)
        return self._spread(Fold(rows, self._held_out))

    def begin(self, place: int) -> None:
        """Let the part whose turn it is take the place of the other."""
        part = place // _N_TREES % self._n_parts
        if part != self._part:
            self._put_away()
            self._part = part
            if not self._bring_back():
                self._n_moved = 0
                self._enter(self._deal(part).train)
        if self._n_moved < len(self.trees):
            missing = Trees.of(self.trees[self._n_moved :])
            self.train.push_in_threads(missing, self._stored.n_jobs)
            self._n_moved = len(self.trees)

    def _enter(self, rows: Rows) -> NDArray | None:
        order = super()._enter(rows)
        # They do not come back this way.
        self.train.origin = None
        return order

    def _move(self, tree: Trees, leaves: NDArray) -> float:
        known, place = self.remembered.known, len(self.trees) - 1
        if place < len(known):
            # The part whose turn it was is not there.
            return known[place].score
        self._n_moved += 1
        return super()._move(tree, leaves)

    def _save(self) -> None:
        """Keep nothing."""

    def _put_away(self) -> None:
        """Make room for another part."""
        train = self.train
        if self.hashes is None:
            rows = Rows(train.U, train.log_det, train.weight)
            self._cache.write(self._part, rows)
            self._kept[self._part] = self._n_moved
        del self.train, self.weights

    def _bring_back(self) -> bool:
        """Return whether the rows of the part lay there."""
        if self._part not in self._kept:
            return False
        rows = self._cache.read(self._part)
        if rows is None:
            return False
        self.train = CubeRows(rows.values, rows.log_det, rows.weight)
        self.weights, self._n_moved = rows.weights, self._kept[self._part]
        return True
