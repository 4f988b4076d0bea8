"""Many shrunk density trees in one layer."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from time import perf_counter
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import (
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
)
from destructors._cube import to_cube
from destructors._splits import hash_roughly, make_splits
from destructors.base import check_weights
from destructors.tree._apply import beyond_cube, push_trees
from destructors.tree._density_tree import Forest, GrowthRule, count_drawn
from destructors.tree._growth import CubeRows, Growth, mean_scores
from destructors.tree._tree import CubeDestructor

__all__ = ["BoostedTreeDestructor"]


class BoostedTreeDestructor(CubeDestructor):
    """Boosted density trees.

    Each tree is grown on the points as the trees before it have moved them, and takes
    a small step: the probability of each node is pulled towards that of the uniform
    density, ``p = v + c (p̂ - v)``, the more the smaller the node,
    ``c = learning_rate (1 - log2 volume) ** -scale_decay``. Trees are added while the
    likelihood of held-out rows grows. Rows enter the unit cube before the first tree
    and leave it after the last.

    Parameters
    ----------
    learning_rate : float, default=0.2
        Step of the root, in (0, 1].
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
    n_iter_ : int
        Number of trees. May be 0: on data that are standard normal already.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Rise of the mean log density of the training rows by 0, 1, 2, … trees, in
        nats.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows (mean over folds with ``cv``); empty without
        any.
    center_, scale_ : ndarray of shape (``n_features_in_``,)
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

    _uses_validation = True
    _parameter_constraints: ClassVar[dict] = {
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "scale_decay": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "max_leaf_nodes": [Interval(Integral, 2, None, closed="left"), None],
        "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
        "max_bins": [Interval(Integral, 3, 255, closed="both")],
        "max_features": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
            StrOptions({"sqrt", "log2"}),
            None,
        ],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        learning_rate: float = 0.2,
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

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> BoostedTreeDestructor:
        """Grow trees on data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, finite.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.
        X_val : array-like of shape (n_val_samples, n_features), default=None
            Held-out data. If given, all of ``X`` is trained on, and
            ``validation_fraction`` and ``cv`` are not used.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the held-out rows.

        Returns
        -------
        self : object
            The fitted destructor.

        Raises
        ------
        ValueError
            If an input is not a finite two-dimensional array of numbers with enough
            rows and columns, or a weight is negative, or all are zero, or nothing can
            be held out because all rows are equal.
        TypeError
            If ``X`` is sparse.
        """
        resume = self.warm_start and hasattr(self, "n_iter_")
        X = self._check_rows(X, reset=not resume)
        weight: NDArray | None = None
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        validation = None
        if X_val is not None:
            X_val = self._check_rows(X_val, reset=False)
            validation = check_weights(X_val, sample_weight_val)
        self._fit_checked(X, weight, validation)
        return self

    def _fit(self, X, sample_weight, random_state, validation=None):
        rule = GrowthRule(
            max_depth=self.max_depth,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            min_gain=0.0,
            max_bins=self.max_bins,
            n_drawn=count_drawn(self.max_features, X.shape[1]),
            random=False,
            exact=False,
            learning_rate=self.learning_rate,
            scale_decay=self.scale_decay,
        )
        counts = slice(None) if sample_weight is None else sample_weight > 0
        if not (self.warm_start and hasattr(self, "n_iter_")):
            self._entropy = check_random_state(random_state).randint(2**31 - 1)
            weight = None if sample_weight is None else sample_weight[counts]
            self._standardise(X[counts], weight)
            self._forest, self._gains = Forest([]), np.empty((0, X.shape[1]))
        Z = (X - self.center_) / self.scale_
        rows = CubeRows(Z, sample_weight, hash_roughly(X, self._entropy))
        held_out = None
        if self.early_stopping and validation is not None:
            Z_val = (validation[0] - self.center_) / self.scale_
            held_out = CubeRows(Z_val, validation[1], None)
        splits = [(counts, None)]
        if self.early_stopping and validation is None:
            fraction = self.validation_fraction
            splits = make_splits(X, sample_weight, self.cv, fraction, self._entropy)
        by_cv = held_out is None and self.early_stopping and self.cv is not None
        runs = []
        for train, test in splits:
            judges = held_out if test is None else rows.take(test)
            runs.append(Growth(rows.take(train), judges, rule, self.subsample))
            self._resume(runs[-1], same_rows=not by_cv)
        n_trees = self._grow(runs)
        run = runs[0]
        if by_cv:
            run = Growth(rows.take(counts), None, rule, self.subsample)
            self._resume(run, same_rows=True)
            while len(run.trees) < n_trees:
                run.add_tree(self._entropy)
        self._finish(run, runs, n_trees)

    def _resume(self, run: Growth, same_rows: bool) -> None:
        """Bring a run to where the last fit ended: nowhere, if there was none."""
        for i in range(len(self._forest)):
            if same_rows:
                run.push(self._forest.tree(i), self._gains[i])
            else:
                # The trees of the folds are gone; the same seeds grow them again.
                run.add_tree(self._entropy)

    def _grow(self, runs: list[Growth]) -> int:
        """Add trees side by side until the held-out score says stop.

        Returns
        -------
        n_trees : int
            How many to keep.
        """
        patience, stops = self.n_iter_no_change, self.early_stopping
        end = perf_counter() + (np.inf if self.max_time is None else self.max_time)
        scores = list(mean_scores(runs)) if stops else []
        records = list(np.maximum.accumulate(scores))
        while (n_trees := len(runs[0].trees)) < self.max_iter:
            if perf_counter() > end:
                break
            if stops and n_trees >= patience:
                before, recent = records[-patience - 1], max(scores[-patience:])
                if recent < before + self.tol:
                    break
            for run in runs:
                run.add_tree(self._entropy)
            if stops:
                scores.append(np.mean([run.validation.scores[-1] for run in runs]))
                records.append(max(records[-1], scores[-1]))
            if self.verbose and (n_trees + 1) % 100 == 0:
                train = np.mean([run.train.scores[-1] for run in runs])
                held_out = f", held-out {scores[-1]:.4f}" if stops else ""
                print(
                    f"[{type(self).__name__}] {n_trees + 1} trees: gain {train:.4f}"
                    f"{held_out}"
                )
        return int(np.argmax(scores)) if stops else n_trees

    def _finish(self, run: Growth, runs: list[Growth], n_trees: int) -> None:
        """Keep the first trees of a run, and what is told of them."""
        self._forest = Forest(run.trees[:n_trees])
        self._gains = np.reshape(run.gains[:n_trees], (n_trees, self.n_features_in_))
        self.n_iter_ = n_trees
        self.train_score_ = np.array(run.train.scores[: n_trees + 1])
        self.validation_score_ = np.array([])
        if self.early_stopping:
            self.validation_score_ = mean_scores(runs)[: n_trees + 1]
        self.feature_importances_ = self._gains.sum(axis=0)

    def _settled_params(self, fitted):
        n_iter = np.mean([boosted.n_iter_ for boosted in fitted])
        return {"max_iter": max(1, round(n_iter)), "early_stopping": False}

    # ------------------------------------------------------------------ stages

    def staged_score_samples(self, X: ArrayLike) -> Iterator[NDArray]:
        """Give the log density of each row after each tree.

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
        Z = (self._check_rows(X, reset=False) - self.center_) / self.scale_
        start = self.base_distribution_.logpdf(Z) - np.log(self.scale_).sum()
        U, log_det = to_cube(Z), np.zeros(len(Z))
        beyond = beyond_cube(U)
        for i in range(self.n_iter_):
            tree = self._forest.tree(i)
            starts = np.array([0, len(tree)])
            push_trees(U, beyond, tree, starts, log_det, False)
            yield start + log_det
