"""Many shrunk density trees in one layer."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors._compat import Interval, StrOptions
from destructors.base import HoldoutDestructor
from destructors.greedy import (
    Greedy,
    GreedyDestructor,
    Never,
    Progress,
    ScoredByFirstLayers,
    Stopping,
    TryAll,
)
from destructors.maps import Affine, Chain, Map
from destructors.maps._cube import to_cube
from destructors.maps._trees import UNKNOWN, Trees, beyond_cube, push_trees
from destructors.rows import Fold, Rows, StoredRows, make_folds
from destructors.tree._atoms import choose_units, spread_atoms
from destructors.tree._growth import Boosting, CubeFold, Grown, Remembered
from destructors.tree._rule import CONSTRAINTS, GrowthRule, choose_learning_rate
from destructors.tree._tree import two_parts
from destructors.tree._turns import Turns, count_parts

# Trees where bytes are short: large steps, and few leaves. On 2,000 rows of two columns
# 16 kB of them gave new rows -1.52 nats (32 leaves, steps of 0.4 or 0.8), 16 kB of the
# usual ones -2.25, and all 144 kB -1.54.
LARGE_STEP, _FEW_LEAVES = 0.5, (8, 32, 128)


class BoostedTreeDestructor(ScoredByFirstLayers, HoldoutDestructor):
    """Boosted density trees.

    Each tree is grown on the points as the trees before it have moved them, and takes
    a small step: the probability of each node is pulled towards that of the uniform
    density, ``p = v + c (p̂ - v)``, the more the smaller the node,
    ``c = learning_rate (1 - log2 volume) ** -scale_decay``. Trees are added while the
    likelihood of held-out rows grows. Rows enter the unit cube before the first tree
    and leave it after the last.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        Step of the root, in (0, 1]; "auto" takes 0.2 up to 200,000 rows, rising to 0.4
        at a million: there half the trees do. It stays 0.2 for rows on disk that take
        turns.
    scale_decay : float, default=1.0
        How fast steps shrink with the volume of the node. It lets trees be deep:
        details are learned from many of them.
    max_iter : int, default=3000
        Largest number of trees.
    max_time : float, default=None
        Seconds of wall time after which no further tree is grown; None sets no limit.
    max_depth : int, default=20
        Largest depth of a tree; None sets no limit.
    max_leaf_nodes : int, default=None
        Largest number of leaves of a tree; the splits that gain most are made first.
    min_samples_leaf : float, default=5
        Smallest number of rows (or weight) in a leaf.
    max_bins : int, default=32
        Number of bins of the unit interval at whose edges a feature can be cut, at
        most 255. Each tree shifts the bins at random.
    max_features : int, float, {"sqrt", "log2"} or None, default=None
        Number, or share, of the features that are drawn for each split; None takes
        all.
    subsample : float, default=1.0
        Share of the rows that each tree is grown on.
    early_stopping : bool, default=True
        Whether to hold out rows, stop by them and cut back. Otherwise all rows are
        trained on and there are ``max_iter`` trees.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=30
        Number of trees without improvement after which to stop.
    tol : float, default=1e-4
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator or iterable, default=None
        If given, the number of trees is chosen by the mean held-out score over the
        folds; then they are grown on all rows.
        None holds out one part, or makes folds where one row would be more than a
        tenth of that: no value is left out.
    warm_start : bool, default=False
        Whether `fit` goes on from the trees that are there.
    n_jobs : int, default=None
        Number of threads that transform rows side by side.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the trees.
    verbose : int, default=0
        Whether to print a line for each 100 trees.

    Attributes
    ----------
    map_ : Chain
        Standard units, then the trees, which can be cut: ``map_[1][:k]`` is the map of
        the first k.
    n_iter_ : int
        Number of trees. May be 0: on data that are standard normal already.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Rise of the mean log density of the training rows by 0, 1, 2, … trees, in
        nats.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows (mean over folds with ``cv``); empty without
        any.
    mean_, scale_ : ndarray of shape (``n_features_in_``,)
        Mean and standard deviation of each feature, by which rows are brought to
        standard units first.
    feature_importances_ : ndarray of shape (``n_features_in_``,)
        Rise of the mean training log density by the splits of each feature, in nats.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    TreeDestructor : One tree, with a full step.

    Notes
    -----
    What a mixture or marginals can do in one step, trees do in many; put those before.
    A value that different rows share, or that has a hundredth of all rows and those of
    a leaf, stands for a cell, as wide as the gap to the nearest other value of its
    feature: trees are grown, and stopped, on rows that are spread evenly over these,
    and so are ``train_score_`` and ``validation_score_``.
    Rows of `destructors.open_rows` are dealt to parts of about 4,000,000 numbers, by
    content; ten trees are grown on one part, in memory, then ten on the next. Up to
    200,000 of the held-out rows stop the growth, and ``train_score_`` is that of the
    part each tree was grown on.
    A coordinate more than 5 standard deviations out is beyond the cube and keeps a
    normal tail, see `TreeDestructor`.

    References
    ----------
    Awaya and Ma, *Unsupervised tree boosting for learning probability distributions*,
    Journal of Machine Learning Research 25, 2024, sections 2 and 3. Shifted bins are
    ours.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.tree import BoostedTreeDestructor
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, 4000)
    >>> X = np.c_[np.cos(angle), np.sin(angle)] + rng.normal(scale=0.2, size=(4000, 2))
    >>> model = BoostedTreeDestructor(random_state=0).fit(X[:3000])
    >>> bool(model.score(X[3000:]) > -1.9)  # a Gaussian scores -2.2, the truth -1.7
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        **CONSTRAINTS,
        "learning_rate": [
            Interval(Real, 0, 1, closed="right"),
            StrOptions({"auto"}),
        ],
        "scale_decay": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_bins": [Interval(Integral, 3, 255, closed="both")],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "warm_start": ["boolean"],
    }

    # How many columns, the last, are moved given the others; 0 stands for all.
    _n_moved: int = 0

    def __init__(
        self,
        *,
        learning_rate: float | Literal["auto"] = "auto",
        scale_decay: float = 1.0,
        max_iter: int = 3000,
        max_time: float | None = None,
        max_depth: int | None = 20,
        max_leaf_nodes: int | None = None,
        min_samples_leaf: float = 5,
        max_bins: int = 32,
        max_features: int | float | Literal["sqrt", "log2"] | None = None,
        subsample: float = 1.0,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 30,
        tol: float = 1e-4,
        cv: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.learning_rate = learning_rate
        self.scale_decay = scale_decay
        self.max_iter = max_iter
        self.max_time = max_time
        self.max_depth = max_depth
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.max_bins = max_bins
        self.max_features = max_features
        self.subsample = subsample
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.cv = cv
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fitting

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows, known = fold.train, self._known()
        if known is None:
            assert random_state is not None
            self._seed = int(random_state.randint(2**31 - 1))
            units = choose_units(rows)
            self.mean_, self.scale_ = units.location, units.scale
            # What is given stays what it is.
            n_given = self._n_given(rows)
            self.mean_[:n_given], self.scale_[:n_given] = 0.0, 1.0
            known = []
        units = Affine(self.mean_, self.scale_)
        folds, by_cv = [Fold(rows)], False
        stopping: Stopping = Never()
        if self.early_stopping:
            folds, stopping = [fold], Stopping(self.n_iter_no_change, self.tol)
            if fold.validation is None:
                fraction = self.validation_fraction
                folds, by_cv = make_folds(rows, self.cv, fraction, self._seed)
        rate = self.learning_rate
        if isinstance(rate, str):
            rate = choose_learning_rate(rows.total, count_parts(folds[0].train))
        rule = GrowthRule.of(
            self,
            rows.n_features,
            learning_rate=float(rate),
            scale_decay=float(self.scale_decay),
            n_given=self._n_given(rows),
        )
        # The trees of folds are gone; the same seeds grow them again.
        first = [] if by_cv else known
        states = [
            self._in_cube(part, units, rule, Remembered(first, f"fold {number}"))
            for number, part in enumerate(folds)
        ]
        task = Boosting(self.subsample, self._seed)
        progress = Progress(
            self,
            self.verbose,
            noun="tree",
            every=100,
            snapshot=lambda: self._as_if_ended(engine, units),
        )
        engine = Greedy(
            task,
            ["tree"],
            schedule=TryAll("tree"),
            stopping=stopping,
            max_iter=self.max_iter,
            progress=progress,
            start=task.score(states[0]),
            steps=task.again(states, len(known), progress),
        )
        trees: list[Grown] = []
        progress.final = lambda: self._as_if_ended(engine, units, trees)
        with progress.running(self.max_iter):
            for state in engine.grow(states):
                state.remembered.keep()
            # Also of the trees that are cut off: other folds may gain by as many.
            self._curve = np.array(engine.validation_scores)
            engine.cut()
            trees = [step.layer for step in engine.steps]
            if by_cv:
                every = Remembered(known, "all rows")
                states = [self._in_cube(Fold(rows), units, rule, every)]
                trees, _ = engine.refit(states[0])
                every.keep()
            if states[0].holds(rows) and not engine.stopped_early:
                # What was interrupted may have moved rows by a tree too many.
                self._leftover = states[0]
            self.__dict__.update(self._attributes(engine, trees))
        return _chain(units, trees)

    def _in_cube(
        self, fold: Fold, units: Affine, rule: GrowthRule, remembered: Remembered
    ) -> CubeFold:
        """Return rows for trees to be grown on."""
        seed = self._seed if self.subsample < 1.0 else None
        first = self._n_given(fold.train)
        spread = partial(
            spread_atoms,
            units=units,
            seed=self._seed,
            first_column=first,
            min_samples_leaf=self.min_samples_leaf,
        )
        if fold.validation is not None:
            fold = replace(fold, validation=fold.validation.enough())
        if isinstance(fold.train, StoredRows):
            return Turns(fold, spread, units, rule, remembered, seed)
        return CubeFold(spread(fold), units, rule, remembered, seed)

    def _n_given(self, rows: Rows) -> int:
        return rows.n_features - self._n_moved if self._n_moved else 0

    def _known(self) -> list[Grown] | None:
        """Return the trees to go on from; None to begin."""
        if not (self.warm_start and "map_" in vars(self)):
            return None
        splits = (tree.splits for tree in two_parts(self.map_)[1])
        return list(map(Grown, splits, self._gains, self.train_score_[1:]))

    def _attributes(self, engine: Greedy, trees: list[Grown]) -> dict[str, Any]:
        """Return the fitted attributes that follow from the trees."""
        gains = [tree.gains for tree in trees]
        gains_by_tree = np.reshape(gains, (len(trees), self.n_features_in_))
        validation = np.array(engine.validation_scores)
        return {
            "n_iter_": len(trees),
            "train_score_": np.array([0.0, *(tree.score for tree in trees)]),
            "validation_score_": validation[~np.isnan(validation)],
            "feature_importances_": gains_by_tree.sum(axis=0),
            "_gains": gains_by_tree,
        }

    def _as_if_ended(
        self, engine: Greedy, units: Affine, trees: list[Grown] | None = None
    ) -> dict[str, Any]:
        """Return what a copy needs to work as if fitting had ended now."""
        if trees is None:
            trees = [step.layer for step in engine.steps]
        return {**self._attributes(engine, trees), "map_": _chain(units, trees)}

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        if self._leftover is None:
            return fold.through(map_)
        return self._leftover.leave(self.n_iter_, fold, map_)

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        n_iter, _ = best_number(fitted)
        return {"max_iter": max(1, n_iter), "early_stopping": False}

    def _smaller(self) -> list[list[dict[str, Any]]]:
        rule = {"learning_rate": LARGE_STEP, "early_stopping": True, "cv": None}
        rule |= {"max_time": None, "warm_start": False}
        return [[{**rule, "max_leaf_nodes": n} for n in _FEW_LEAVES]]

    # ------------------------------------------------------------------ stages

    def _first(self, n_layers: int) -> "BoostedTreeDestructor":
        first, (units, trees) = copy.copy(self), two_parts(self.map_)
        first.map_ = Chain((units, trees[:n_layers]))
        return first

    def _without_trees(self) -> "BoostedTreeDestructor":
        """Return a copy that leaves rows where they are."""
        none = self._first(0)
        none.n_iter_, none._gains = 0, self._gains[:0]
        none.feature_importances_ = np.zeros(self.n_features_in_)
        none.train_score_ = self.train_score_[:1]
        none.validation_score_ = self.validation_score_[:1]
        return none

    def staged_score_samples(self, X: ArrayLike) -> Iterator[NDArray]:
        """Yield the log density of each row after each tree.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Yields
        ------
        log_density : ndarray of shape (n_samples,)
            Log densities under the first 1, 2, … trees, in nats.
        """
        check_is_fitted(self)
        units, trees = two_parts(self.map_)
        Z, log_det_units = units.forward(self._read(X).values)
        start = self.base_distribution_.logpdf(Z) + log_det_units
        U, log_det = to_cube(Z), np.zeros(len(Z))
        beyond = beyond_cube(U)
        for tree in trees:
            push_trees(U, beyond, tree.splits, tree.starts, log_det, False, UNKNOWN)
            yield start + log_det


def best_number(fitted: Sequence[BoostedTreeDestructor]) -> tuple[int, float]:
    """Return the number of trees by which held-out rows of all folds gain most.

    Each fold by itself gains most by some trees, by chance, where there is nothing to
    find; all of them together do not.

    Parameters
    ----------
    fitted : sequence of BoostedTreeDestructor
        Of the folds. Where one has fewer trees than others, its rows stay at what they
        gained at last, which is less than at best.

    Returns
    -------
    n_trees : int
    gain : float
        Mean over folds, in nats.
    """
    curves = [boosted._curve for boosted in fitted]
    if np.isnan(np.concatenate(curves)).any():
        # Nothing was held out, at least of trees that were there already.
        return round(np.mean([boosted.n_iter_ for boosted in fitted])), np.nan
    longest = max(map(len, curves))
    padded = [np.pad(curve, (0, longest - len(curve)), "edge") for curve in curves]
    means = np.mean(padded, axis=0)
    return int(np.argmax(means)), float(means.max())


def _chain(units: Affine, trees: list[Grown]) -> Chain:
    return Chain((units, Trees.of(tree.splits for tree in trees)))
