"""Tree-structured permutations, stacked greedily, then a base of codes."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors._compat import Interval
from destructors.base import Destructor
from destructors.discrete import _copies, _distributions
from destructors.discrete._base import CategoricalBase, DiscreteDestructor
from destructors.discrete._distributions import HIDDEN
from destructors.discrete._hidden_tree import HiddenTrees
from destructors.discrete._permutation_task import PermutationTask
from destructors.discrete._tree_permutation import TreePermutation
from destructors.greedy import (
    Greedy,
    GreedyDestructor,
    Schedule,
    StackTask,
    TryAll,
)
from destructors.maps import Map
from destructors.rows import Fold, Rows

# Parameters that each permutation of the stack takes over.
_OF_LAYERS = (
    "splitter",
    "min_samples_split",
    "min_samples_leaf",
    "min_gain",
    "max_candidates",
    "max_samples",
)


class DiscreteTreeFlow(DiscreteDestructor, GreedyDestructor):
    """Probability of categorical data by permutations of categories.

    Tree-structured permutations are stacked, each fitted on the output of the last,
    while the held-out likelihood grows; the base distribution of codes is learned anew
    after each. All is exact: the probability of a row is that of its latent row, and
    permutations are undone without loss.

    Parameters
    ----------
    splitter : {"glp", "random"}, default="glp"
        How a permutation grows: by the best split, or by one that is drawn; see
        `TreePermutation`.
    base : {"auto", "independent", "chow-liu", "hidden-tree"} or list of these, \
            default="auto"
        Base distributions to choose from: independent columns, a tree of pairs, or a
        mixture of hidden trees; "auto" stands for all. Of the first two, the one of
        higher held-out likelihood is taken after each layer, and permutations raise
        its likelihood. Hidden trees are tried at last, on the rows as they are: where
        they do better than all permutations, there are none, and otherwise behind them.
    alpha : "auto" or float, default="auto"
        Pseudo-count of each category in the base. "auto" chooses by held-out rows.
    max_depth : int or list of int, default=8
        Largest number of tests on a path of a permutation. Of a list, each layer takes
        the one that is best on held-out rows.
    min_samples_split, min_samples_leaf, min_gain, max_candidates, max_samples
        As in `TreePermutation`.
    max_iter : int, default=20
        Largest number of permutations.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether rows are held out to choose and to stop by. Otherwise all rows are
        trained on: ``base`` and ``alpha`` must then be given, and there are
        ``max_iter`` permutations.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. In the end the base is fitted on all rows.
    n_iter_no_change : int, default=2
        Number of permutations without improvement after which to stop.
    tol : float, default=1e-3
        Rise of the mean held-out log probability that counts as improvement, in nats.
    cv : int, cross-validation generator or iterable, default=None
        If given, everything is chosen by mean held-out scores over the folds; then the
        permutations are fitted on all rows.
    categories : "auto" or list of (array-like or int), default="auto"
        Categories of each column, or their number for codes from 0. By default those in
        the training rows, and those that a pandas dtype declares.
    handle_unknown : {"smooth", "error"}, default="smooth"
        Whether categories that were not seen in `fit` share one code, which has the
        probability that the smoothing gives it, or are an error.
    handle_missing : {"error", "category"}, default="error"
        Whether missing values are an error or a category; where none was missing in
        `fit`, one that was not seen.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of TreePermutation
        The fitted permutations; may be empty.
    layer_names_ : list of str
        Depth that each was allowed.
    n_iter_ : int
        Number of permutations.
    bases_ : list of Distribution
        The base distribution after 0, 1, … permutations.
    structure_ : {"independent", "chow-liu", "hidden-tree"}
        Structure of the last of these.
    structure_scores_ : dict of str to float
        Mean held-out log probability, in nats: of the best base of each structure
        without permutations, and under "permutations" of the permutations before one
        that has no hidden states. Where "hidden-tree" is the largest, permutations
        bring nothing and ``n_iter_`` is 0.
    alpha_ : float
        Its smoothing.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Mean log probability of the training rows after 0, 1, … permutations, in nats.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows (mean over folds with ``cv``); empty without any.
    feature_importances_ : ndarray of shape (``n_features_in_``,)
        Share of the gain in likelihood by splits on each column; zeros without any.
    categories_ : list of ndarray
        Categories of each column, in the order of their codes.
    n_categories_ : ndarray of shape (``n_features_in_``,)
        Number of codes of each column: one more than categories where there is a code
        for those that were not seen.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : IndependentCategorical, ChowLiuTree, HiddenTree or Mixture
        The base distribution.

    See Also
    --------
    destructors.discrete.TreePermutation : One permutation.
    destructors.discrete.CategoricalBase : The base alone.
    destructors.compose.ColumnDestructor : For tables of both kinds of columns.

    Notes
    -----
    ``flow[:k]`` is the flow of the first k permutations, fitted. Each *copy* of a row
    is held out by itself: in small tables every cell has rows on both sides.

    References
    ----------
    M. Elkady, J. Lim and D. I. Inouye, *Discrete tree flows via tree-structured
    permutations*, ICML 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import DiscreteTreeFlow
    >>> rng = np.random.default_rng(0)
    >>> weather = rng.choice(["rain", "sun"], 1000)
    >>> tool = np.where(weather == "rain", "umbrella", "hat")
    >>> X = np.stack([weather, tool], axis=1)
    >>> flow = DiscreteTreeFlow(random_state=0).fit(X)
    >>> flow.score_samples([["rain", "umbrella"], ["rain", "hat"]]).round(1)
    array([-0.8, -8.9])
    >>> flow.sample(2, random_state=0).tolist()
    [['sun', 'hat'], ['sun', 'hat']]
    """

    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        **TreePermutation._parameter_constraints,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "base": CategoricalBase._parameter_constraints["structure"],
        "alpha": CategoricalBase._parameter_constraints["alpha"],
        "max_depth": [Interval(Integral, 0, None, closed="left"), "array-like"],
    }
    _min_samples = 2

    def __init__(
        self,
        *,
        splitter: Literal["glp", "random"] = "glp",
        base: (
            Literal["auto", "independent", "chow-liu", "hidden-tree"] | Sequence[str]
        ) = "auto",
        alpha: float | Literal["auto"] = "auto",
        max_depth: int | Sequence[int] = 8,
        min_samples_split: float = 2,
        min_samples_leaf: float = 1,
        min_gain: float | Literal["auto"] = "auto",
        max_candidates: int = 8,
        max_samples: float | int | None = None,
        max_iter: int = 20,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 2,
        tol: float = 1e-3,
        cv: Any = None,
        categories: Any = "auto",
        handle_unknown: Literal["smooth", "error"] = "smooth",
        handle_missing: Literal["error", "category"] = "error",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.splitter = splitter
        self.base = base
        self.alpha = alpha
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.min_gain = min_gain
        self.max_candidates = max_candidates
        self.max_samples = max_samples
        self.max_iter = max_iter
        self.max_time = max_time
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.cv = cv
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.handle_missing = handle_missing
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fitting

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        structures = _distributions.structures_of(self.base, "base")
        try:
            map_ = super()._fit(fold, random_state)
            if HIDDEN in structures:
                map_ = self._try_hidden_trees(map_, structures == (HIDDEN,), fold)
        finally:
            self.__dict__.pop("_parts", None)
        return map_

    def _max_layers(self) -> int:
        # No permutation is fitted to hidden trees.
        structures = _distributions.structures_of(self.base, "base")
        return 0 if structures == (HIDDEN,) else self.max_iter

    def _try_hidden_trees(self, map_: Map, alone: bool, fold: Fold) -> Map:
        """Put hidden trees in the place of the base where held-out rows gain.

        They are fitted to the rows as they are: where they then do better than all
        permutations, these are dropped. Otherwise they are tried behind them.
        """
        rows, folds, seed = self._parts
        part, rival = folds[0].through(map_), None
        assert part.validation is not None
        if not alone:
            [base] = _distributions.fit_bases(part.train, self._choices[-1:])
            rival = base.logpdf(part.validation.values)
            self.structure_scores_["permutations"] = part.validation.score(base)
        trees = HiddenTrees(folds[0], self.alpha, seed, rival)
        self.structure_scores_[HIDDEN] = trees.score()
        if trees.is_better():
            self.__dict__.update(self._cut(0, 0).__dict__)
            self.feature_importances_ = np.zeros(rows.n_features)
            map_ = self._chain([])
        elif not len(self.layers_):
            return map_
        else:
            trees = HiddenTrees(part, self.alpha, seed, rival)
            if not trees.is_better():
                return map_
        held_out, rows = trees.score(), rows.through(map_)
        if fold.validation is None:
            trees.go_on(rows)
        bases = [*self.bases_[:-1], trees.to_distribution()]
        choices = [*self._choices[:-1], (HIDDEN, trees.alpha)]
        self.__dict__.update(_of_bases(bases, choices))
        self.train_score_[-1] = rows.score(bases[-1])
        self.validation_score_[-1] = held_out
        return map_

    def _make_folds(self, fold: Fold, seed: int) -> tuple[list[Fold], Fold | None]:
        rows = self._read_codes(fold.train)
        structures = _distributions.structures_of(self.base, "base")
        # Permutations raise the likelihood of a tree where there is no other base.
        simple = [each for each in structures if each != HIDDEN] or ["chow-liu"]
        bases = _distributions.list_bases(simple, self.alpha)
        folds, all_rows, cv = [Fold(rows)], None, self.cv
        if fold.validation is not None:
            folds = [self._unique_fold(fold)]
        elif self.early_stopping:
            all_rows = None if cv is None else Fold(rows)
            if cv is None or isinstance(cv, Integral):
                folds = _copies.split_copies(rows, cv, self.validation_fraction, seed)
            else:
                given = fold.train.split(cv, self.validation_fraction, seed)
                folds = [self._unique_fold(part) for part in given]
        elif len(bases) > 1 or HIDDEN in structures:
            raise ValueError(
                "early_stopping=False leaves no held-out rows to choose by: give base "
                "and alpha, or X_val."
            )
        # For the task, which is made next, and for hidden trees at last.
        self._codes = bases, rows, folds
        self._parts = rows, folds, seed
        return folds, all_rows

    def _make_task(
        self, candidates: list[tuple[str, Destructor]], seed: int, train: Rows
    ) -> StackTask:
        return PermutationTask(candidates, seed, *self.__dict__.pop("_codes"))

    def _schedule(self, names: list[str]) -> Schedule:
        return TryAll(*names)

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        shared = {name: getattr(self, name) for name in _OF_LAYERS}
        return [
            (f"depth-{depth}", TreePermutation(max_depth=depth, **shared))
            for depth in np.atleast_1d(self.max_depth).tolist()
        ]

    # ------------------------------------------------------------------ bases

    def _attributes(
        self, engine: Greedy, seed: int, layers: list[Any]
    ) -> dict[str, Any]:
        task: Any = engine.task
        choices = [task.first]
        choices += [tuple(step.params.values()) for step in engine.steps]
        rows, bases = task.rows, _distributions.fit_bases(task.rows, choices[:1])
        for layer, choice in zip(layers, choices[1:], strict=True):
            rows = rows.through(layer.map_)
            bases += _distributions.fit_bases(rows, [choice])
        gains = sum((layer._gains for layer in layers), np.zeros(rows.n_features))
        # A copy of the flow as it is now takes it from here.
        self.base_distribution_ = bases[-1]
        return {
            **super()._attributes(engine, seed, layers),
            "feature_importances_": gains / (gains.sum() or 1.0),
            "structure_scores_": dict(task.structure_scores),
            **_of_bases(bases, choices),
        }

    def _cut(self, start: int, stop: int) -> Self:
        if start:
            raise ValueError("Only a beginning of the flow, flow[:k], has a base.")
        part, end = super()._cut(start, stop), stop + 1
        part.__dict__.update(_of_bases(self.bases_[:end], self._choices[:end]))
        return part

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        if fitted[0].structure_ == HIDDEN:
            # Only held-out rows can tell the size of hidden trees.
            return {}
        last = {"base": fitted[0].structure_, "alpha": fitted[0].alpha_}
        return {**super()._refit_params(fitted), **last}

    # ------------------------------------------------------------------ stages

    def staged_score_samples(self, X: ArrayLike) -> Iterator[NDArray]:
        """Yield the log probability of each row after each permutation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Yields
        ------
        log_probability : ndarray of shape (n_samples,)
            Log probabilities under the flow of the first 1, 2, … permutations and the
            base that was fitted after them, in nats.
        """
        for i, rows in enumerate(self._stages(X), 1):
            yield self.bases_[i].logpdf(rows.values)

    def score_layers(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray:
        """Return how many nats per row each permutation brings on some data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean.

        Returns
        -------
        gains : ndarray of shape (``n_iter_``,)
            Rise of the mean log probability by each permutation and its base, in nats.
        """
        parts = [self[:depth] for depth in range(len(self) + 1)]
        return np.diff([part.score(X, sample_weight=sample_weight) for part in parts])


def _of_bases(bases: list[Any], choices: list[Any]) -> dict[str, Any]:
    """Return the attributes that tell of bases, and of the last one."""
    end = dict(zip(("structure_", "alpha_"), choices[-1], strict=True))
    return {
        "bases_": bases,
        "_choices": choices,
        "base_distribution_": bases[-1],
        **end,
    }
