"""Tree-structured permutations, stacked greedily, then a base of codes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors._compat import Interval, StrOptions, fit_context
from destructors.base import check_weights
from destructors.compose._greedy import Trial
from destructors.compose._stack import GreedyDestructor
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.discrete._base import DiscreteDestructor
from destructors.discrete._categorical_base import BaseGrid
from destructors.discrete._chow_liu import BaseCounts
from destructors.discrete._counts import Layout
from destructors.flows._discrete_fold import CodedFold, CodedRows, make_folds

__all__ = ["DiscreteTreeFlow"]

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
    base : {"auto", "independent", "chow-liu"}, default="auto"
        Base distribution: independent columns, or a tree of pairs. "auto" takes, after
        each layer, the one of higher held-out likelihood. Permutations raise the
        likelihood of this base.
    alpha : "auto" or float, default="auto"
        Pseudo-count of each category in the base. "auto" chooses by held-out rows.
    max_depth : int or list of int, default=8
        Largest number of tests on a path of a permutation. Of a list, each layer takes
        the one that is best on held-out rows.
    min_samples_split, min_samples_leaf, min_gain, max_candidates, max_samples
        As in `TreePermutation`.
    max_iter : int, default=20
        Largest number of permutations.
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
        Whether missing values are an error or a category.
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
    bases_ : list of IndependentCategorical or ChowLiuTree
        The base distribution after 0, 1, … permutations.
    structure_ : {"independent", "chow-liu"}
        Structure of the last of these.
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
    base_distribution_ : IndependentCategorical or ChowLiuTree
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
    >>> flow.sample(2, random_state=0)
    array([['sun', 'hat'],
           ['sun', 'hat']], dtype='<U3')
    """

    _parameter_constraints: ClassVar[dict] = {
        **{
            name: constraint
            for name, constraint in GreedyDestructor._parameter_constraints.items()
            if name != "warm_start"
        },
        **DiscreteDestructor._parameter_constraints,
        **{name: TreePermutation._parameter_constraints[name] for name in _OF_LAYERS},
        "base": CategoricalBase._parameter_constraints["structure"],
        "alpha": CategoricalBase._parameter_constraints["alpha"],
        "max_depth": [Interval(Integral, 0, None, closed="left"), "array-like"],
        "categories": [StrOptions({"auto"}), list, tuple, np.ndarray],
    }
    _min_samples = 2
    warm_start = False

    def __init__(
        self,
        *,
        splitter: Literal["glp", "random"] = "glp",
        base: Literal["auto", "independent", "chow-liu"] = "auto",
        alpha: float | Literal["auto"] = "auto",
        max_depth: int | Sequence[int] = 8,
        min_samples_split: float = 2,
        min_samples_leaf: float = 1,
        min_gain: float | Literal["auto"] = "auto",
        max_candidates: int = 8,
        max_samples: float | int | None = None,
        max_iter: int = 20,
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

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> DiscreteTreeFlow:
        """Grow the stack on data.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training data: numbers, strings or categories.
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
            The fitted flow.

        Raises
        ------
        ValueError
            If an input is not a table with enough rows and columns, has missing values
            or unseen categories that are not allowed, or a weight is negative, or all
            are zero, or nothing is held out and ``base`` or ``alpha`` is left open.
        TypeError
            If ``X`` is sparse.
        """
        self._learn_categories(X, sample_weight)
        super().fit(
            X,
            sample_weight=sample_weight,
            X_val=X_val,
            sample_weight_val=sample_weight_val,
        )
        return self

    def _fit_stack(self, X, sample_weight, random_state, held_out) -> None:
        rows = CodedRows.of(*check_weights(X, sample_weight))
        self._set_sizes(rows.codes)
        self._layout = Layout.of(self.n_categories_)
        self._grid = BaseGrid.of(self.base, self.alpha)
        entropy = random_state.randint(2**31 - 1)
        all_rows = None
        parts: list[tuple[CodedRows, CodedRows | None]]
        if held_out is not None:
            parts = [(rows, CodedRows.of(held_out.latent, held_out.weight))]
        elif not self.early_stopping:
            if self._grid.is_open:
                raise ValueError(
                    "early_stopping=False leaves no held-out rows to choose by: give "
                    "base and alpha, or X_val."
                )
            parts = [(rows, None)]
        else:
            parts = [
                *make_folds(
                    X, sample_weight, self.cv, self.validation_fraction, entropy
                )
            ]
            all_rows = None if self.cv is None else self._judge(rows, None)
        folds = [self._judge(*part) for part in parts]
        first = self._choose_base([fold.scores for fold in folds])
        self._start(folds, entropy)
        self._growing = rows, first
        try:
            self._grow(folds, all_rows)
        finally:
            del self._growing
        self._fit_bases(rows, first)

    def _judge(self, train: CodedRows, validation: CodedRows | None) -> CodedFold:
        return CodedFold.judge(train, validation, self._grid, self._layout)

    def _choose_base(self, scores: list[NDArray | None]) -> dict[str, Any]:
        """Choose a base by its mean score over folds, each of one entry of a list."""
        choice = self._grid.first
        if scores[0] is not None:
            choice = self._grid.best(np.mean(np.array(scores), axis=0))
        return dict(zip(("base", "alpha"), choice, strict=True))

    def _fit_bases(self, rows: CodedRows, first: dict[str, Any]) -> None:
        """Fit the base after each permutation on all rows."""
        self.bases_, gains = [], np.zeros(len(self.n_categories_))
        choices = [first, *self._settings]
        for layer, choice in zip([None, *self.layers_], choices, strict=True):
            if layer is not None:
                rows = rows.through(layer)
                gains += layer._gains
            counts = BaseCounts.learn(*rows, self._layout, choice["base"])
            self.bases_.append(counts.base(choice["alpha"]))
        self.structure_, self.alpha_ = choices[-1]["base"], choices[-1]["alpha"]
        self.feature_importances_ = gains / (gains.sum() or 1.0)
        self.base_distribution_ = self.bases_[-1]

    def _make_base_distribution(self):
        return self.bases_[-1]

    # ------------------------------------------------------------------ engine hooks

    def _named_candidates(self) -> list[tuple[str, TreePermutation]]:
        shared = {name: getattr(self, name) for name in _OF_LAYERS}
        sizes = getattr(self, "n_categories_", np.empty(0)).tolist()
        return [
            (
                f"depth-{depth}",
                TreePermutation(max_depth=depth, categories=sizes, **shared),
            )
            for depth in np.atleast_1d(self.max_depth).tolist()
        ]

    def _try_candidate(self, candidate, fold):
        if fold.structure is not None:
            candidate.set_params(base=fold.structure)
        candidate._fit_checked(*fold.train)
        fold = fold.through(candidate, self._grid, self._layout)
        candidate._base_scores = fold.scores
        return Trial(candidate, fold, *self._fold_scores(fold))

    def _fold_scores(self, fold):
        return fold.train_score, fold.validation_score

    def _settled_layers(self, layers):
        return self._choose_base([layer._base_scores for layer in layers])

    def _reconstruction_attributes(self):
        # A copy that is made on the way needs the bases of the layers there are.
        self._fit_bases(*self._growing)
        coding = {"_encoder": self._encoder} if hasattr(self, "_encoder") else {}
        return {**super()._reconstruction_attributes(), **coding}

    def _settled_params(self, fitted):
        last = {"base": fitted[0].structure_, "alpha": fitted[0].alpha_}
        return {**super()._settled_params(fitted), **last}

    # ------------------------------------------------------------------ stages

    def staged_score_samples(self, X: ArrayLike) -> Iterator[NDArray]:
        """Give the log probability of each row after each permutation.

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
        stages = self.staged_transform(X)
        check_is_fitted(self)
        for Z, base in zip(stages, self.bases_[1:], strict=True):
            yield base.logpdf(Z)

    def score_layers(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray:
        """Tell how many nats per row each permutation brings on some data.

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
        parts = [
            self[:depth].score(X, sample_weight=sample_weight)
            for depth in range(self.n_iter_ + 1)
        ]
        return np.diff(parts)

    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        if index.start not in (None, 0) or index.step not in (None, 1):
            raise ValueError(
                f"{index} is no beginning of the flow: only flow[:k] has a base."
            )
        depth = len(range(*index.indices(len(self))))
        part = copy.copy(self)
        part._cut(depth)
        part.bases_ = self.bases_[: depth + 1]
        part.base_distribution_ = part.bases_[-1]
        return part
