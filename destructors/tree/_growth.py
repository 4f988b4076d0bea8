"""Growing trees on rows that earlier trees have moved."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.greedy import Progress, Scores, Step, Task, Trial
from destructors.maps import Affine, Map
from destructors.maps._cube import from_cube, to_cube
from destructors.maps._trees import UNKNOWN, Trees, beyond_cube, find_leaves, push_trees
from destructors.rows import Fold, Rows, hash_again, map_threads, memo, weighted_mean
from destructors.tree._grow import grow_tree
from destructors.tree._rule import GrowthRule, make_grid

# Where rows stand is saved each time so many trees were grown, and the last two such
# places are kept: when the last trees are cut off, rows go on from the one before.
_SAVE_EVERY = 32
# More rows than this do not fit the cache: growing and moving visit them leaf by leaf,
# so they are sorted by the leaves of a tree of so many levels first. Trees move rows
# only a little, so the order serves for all of them.
_MANY, _SORT_DEPTH = 2**16, 12


class Grown(NamedTuple):
    """A tree that was grown.

    Attributes
    ----------
    splits : ndarray of shape (n_splits,)
        The tree, as in `destructors.maps.Trees`.
    gains : ndarray of shape (n_features,)
        Rise of the mean training log density by the splits of each feature, in nats.
    score : float
        The same by all features and all trees so far, on all training rows.
    """

    splits: NDArray
    gains: NDArray
    score: float


class Remembered:
    """The trees of a fold that are there already, and those a checkpoint will keep.

    Parameters
    ----------
    known : sequence of Grown
        The first trees, where a fit goes on from them.
    name : str
        Which fold of the fit it is.
    """

    def __init__(self, known: Sequence[Grown], name: str):
        self._memo, self._name = memo(), name
        self.known, self._new = list(known), list[Grown]()
        while content := self._memo.recall("trees", name, len(self.known)):
            splits = np.split(content["splits"], content["starts"][1:-1])
            scores = content["scores"].tolist()
            self.known += map(Grown, splits, content["gains"], scores)
        self._n_kept = len(self.known)

    def add(self, tree: Grown) -> None:
        """Note one more tree, if trees are kept."""
        if np.isfinite(self._memo.every):
            self._new.append(tree)
            if len(self._new) >= self._memo.every:
                self.keep()

    def keep(self) -> None:
        """Keep the trees that were added."""
        if not self._new:
            return
        splits, gains, scores = zip(*self._new, strict=True)
        trees = Trees.of(splits)
        content = {
            "splits": trees.splits,
            "starts": trees.starts,
            "gains": np.array(gains),
            "scores": np.array(scores),
        }
        self._memo.keep(content, "trees", self._name, self._n_kept)
        self._n_kept += len(self._new)
        self._new = []


class CubeRows:
    """Rows that trees move about the cube, in place.

    Inside the cube the base is uniform, so the log-determinant of the trees is all that
    they change in the log density.

    Parameters
    ----------
    U : ndarray of shape (n_rows, n_features)
        Where they are in the closed unit cube.
    log_det : ndarray of shape (n_rows,)
        What trees so far have added, in nats.
    weight : ndarray of shape (n_rows,) or None
    """

    # The rows before they entered, in standard units, and what that adds in nats.
    origin: tuple[Rows, NDArray, NDArray] | None = None

    def __init__(self, U: NDArray, log_det: NDArray, weight: NDArray | None):
        self.U, self.log_det, self.weight = U, log_det, weight
        self.beyond = beyond_cube(U)
        self.order: NDArray | None = None

    @classmethod
    def enter(cls, rows: Rows, units: Affine) -> "CubeRows":
        """Return rows as they enter the cube."""
        Z, log_det_units = units.forward(rows.values)
        entered = cls(to_cube(Z), np.zeros(len(rows)), rows.weight)
        entered.origin = rows, Z, log_det_units
        return entered

    def sort(self, leaves: NDArray) -> None:
        """Put rows of the same leaf side by side."""
        order = self.order = np.argsort(leaves, kind="stable")
        self.U, self.beyond = self.U[order], self.beyond[order]
        if self.weight is not None:
            self.weight = self.weight[order]

    def push(self, trees: Trees, leaves: NDArray = UNKNOWN) -> float:
        """Move the rows by trees; return what all so far have gained."""
        splits, starts = trees.splits, trees.starts
        push_trees(self.U, self.beyond, splits, starts, self.log_det, False, leaves)
        return weighted_mean(self.log_det, self.weight)

    def push_in_threads(self, trees: Trees, n_jobs: int | None) -> None:
        """Move the rows by many trees."""

        def push(rows: slice) -> None:
            push_trees(
                self.U[rows],
                self.beyond[rows],
                trees.splits,
                trees.starts,
                self.log_det[rows],
                False,
                UNKNOWN,
            )

        n = len(self.U)
        map_threads(push, [slice(i, i + _MANY) for i in range(0, n, _MANY)], n_jobs)

    def leave(self) -> Rows:
        """Return the rows as units and trees leave them."""
        U, log_det = self.U, self.log_det
        if self.order is not None:
            U, log_det = np.empty_like(U), np.empty_like(log_det)
            U[self.order], log_det[self.order] = self.U, self.log_det
        assert self.origin is not None
        rows, Z, log_det_units = self.origin
        moved, log_det = from_cube(U, Z, log_det)
        return rows.moved(moved, log_det_units + log_det)


class CubeFold:
    """Training rows to grow trees on, and validation rows, in the cube.

    It is a `Fold` whose rows each tree moves in place. To make new rows of each tree,
    as `Fold.through` does, takes longer than to grow a small tree.
    """

    def __init__(
        self,
        fold: Fold,
        units: Affine,
        rule: GrowthRule,
        remembered: Remembered,
        seed: int | None = None,
    ):
        self.rule, self.remembered = rule, remembered
        self._units, self._seed = units, seed
        self._order = rule._replace(max_depth=min(rule.max_depth, _SORT_DEPTH))
        order = self._enter(fold.train)
        known = fold.validation
        self.validation = None if known is None else CubeRows.enter(known, units)
        if order is not None and self.validation is not None:
            self.validation.sort(find_leaves(self.validation.U, order))
        self.trees: list[NDArray] = []
        self._saved: dict[int, list[tuple[NDArray, NDArray]]] = {}

    def holds(self, rows: Rows) -> bool:
        """Return whether these are the training rows, and can leave the cube."""
        return self.train.origin is not None and self.train.origin[0] is rows

    def begin(self, place: int) -> None:
        """Have the rows at hand that a tree is to be grown on."""

    def _enter(self, rows: Rows) -> NDArray | None:
        """Let training rows enter the cube, and put those near each other there near
        each other in memory; return the tree that has told which are.
        """
        self.train, self.weights = CubeRows.enter(rows, self._units), rows.weights
        # Only for trees that grow on part of the rows.
        self.hashes = None if self._seed is None else rows.hashes(self._seed)
        if len(rows) <= _MANY:
            return None
        rule, U, rng = self._order, self.train.U, np.random.RandomState(0)
        every = np.arange(len(U), dtype=np.uint32)
        grid = make_grid(U, np.zeros(U.shape[1]), rule.max_bins)
        tree, _, leaves = grow_tree(*rule.arguments(grid, self.weights, every, rng))
        self.train.sort(leaves)
        order = self.train.order
        self.weights = self.weights[order]
        if self.hashes is not None:
            self.hashes = self.hashes[order]
        return tree

    def _parts(self) -> list[CubeRows]:
        return [self.train] + ([] if self.validation is None else [self.validation])

    def _move(self, tree: Trees, leaves: NDArray) -> float:
        """Move the training rows by a tree; return what all so far have gained."""
        return self.train.push(tree, leaves)

    def push(self, splits: NDArray, gains: NDArray, leaves: NDArray = UNKNOWN) -> Trial:
        """Move the rows by one more tree."""
        tree = Trees(splits, np.array([0, len(splits)]))
        self.trees.append(splits)
        train = self._move(tree, leaves)
        held_out = np.nan if self.validation is None else self.validation.push(tree)
        if len(self.trees) % _SAVE_EVERY == 0:
            self._save()
        scores = Scores(train, held_out, held_out)
        grown = Grown(splits, gains, train)
        if len(self.trees) > len(self.remembered.known):
            self.remembered.add(grown)
        return Trial(grown, self, scores)

    def _save(self) -> None:
        """Keep where rows stand now, and where they stood at the time before."""
        saved = [(part.U.copy(), part.log_det.copy()) for part in self._parts()]
        self._saved[len(self.trees)] = saved
        self._saved.pop(len(self.trees) - 2 * _SAVE_EVERY, None)

    def leave(self, n_trees: int, fold: Fold, map_: Map) -> Fold:
        """Return a fold, whose training rows these are, after the first trees."""
        if n_trees < len(self.trees):
            # To undo trees would not give the same bits.
            before = [n for n in self._saved if n <= n_trees]
            if not before:
                return fold.through(map_)
            first = max(before)
            between = Trees.of(self.trees[first:n_trees])
            for part, saved in zip(self._parts(), self._saved[first], strict=True):
                part.U, part.log_det = saved
                part.push(between)
        validation = self.validation
        if validation is None:
            return Fold(self.train.leave(), fold.validation_through(map_))
        return Fold(self.train.leave(), validation.leave())


class Boosting(Task):
    """Trees as layers, mean log density relative to the base as objective.

    Parameters
    ----------
    subsample : float
        Share of the rows that each is grown on.
    seed : int
        Of all trees.
    """

    def __init__(self, subsample: float, seed: int):
        self.subsample, self.seed = subsample, seed
        # One for all trees: to make one takes as long as to grow a small tree.
        self._rng = np.random.RandomState(0)

    def score(self, state: CubeFold) -> Scores:
        """Return what no tree gains."""
        held_out = np.nan if state.validation is None else 0.0
        return Scores(0.0, held_out, held_out)

    def attempt(
        self,
        choice: int,
        states: Sequence[CubeFold],
        place: int,
        params: dict[str, Any],
        progress: Progress,
    ) -> list[Trial]:
        """Grow a tree on each fold and move the fold by it; see `Task.attempt`."""
        trials: list[Trial] = []
        for fold in states:
            known = fold.remembered.known
            if place < len(known):
                trials.append(fold.push(*known[place][:2]))
                continue
            fold.begin(place)
            rule = fold.rule
            # Draws depend on the tree's number alone, so growth can be taken up again.
            rng, sequence = self._rng, np.random.SeedSequence([self.seed, place])
            rng.seed(sequence.generate_state(4))
            U, weight = fold.train.U, fold.weights
            d: int = U.shape[1]
            offsets = rng.uniform(size=d)
            rows = np.arange(len(U), dtype=np.uint32)
            if fold.hashes is not None:
                # Chosen by content, so that equal rows are in or out together.
                share = hash_again(fold.hashes, rng.randint(2**31 - 1))
                chosen = rows[share < self.subsample]
                rows = chosen if len(chosen) else rows
            # The kernel is called from here: a fit is deep enough.
            grid = make_grid(U, offsets, rule.max_bins)
            drawn = rule.arguments(grid, weight, rows, rng)
            tree, gains, leaves = grow_tree(*drawn)
            by_feature = np.bincount(tree["feature"], gains, d)
            trials.append(fold.push(tree, by_feature / weight[rows].sum(), leaves))
        return trials

    def again(
        self, states: Sequence[CubeFold], n_trees: int, progress: Progress
    ) -> list[Step]:
        """Return the first trees again: `known` ones, or grown by the same draws."""
        steps = []
        for place in range(n_trees):
            trials = self.attempt(0, states, place, {}, progress)
            scores = Scores.mean([trial.scores for trial in trials])
            steps.append(Step(0, trials[0].layer, {}, scores, {}))
        return steps
