"""A mixture, then boosted trees: the flow for tabular data."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.compose import DestructorPipeline
from destructors.compose._find_categorical import find_categorical
from destructors.flows._known_gain import KnownGains
from destructors.flows._marginals import list_splines
from destructors.flows._mixed_base import choose_codes, of_mixture
from destructors.flows._mixed_layers import (
    N_FOLDS,
    MixedTask,
    MixtureGivenCodes,
    TreesGivenCodes,
)
from destructors.flows._starts import StartedDestructor, make_marginal, race_starts
from destructors.greedy import (
    Greedy,
    Never,
    Schedule,
    StackTask,
    Stages,
    Stopping,
    TryAll,
)
from destructors.linear._held_out_scale import HeldOutScale
from destructors.mixture import BoostedMixtureDestructor, GaussianMixtureDestructor
from destructors.mixture._number import smaller_numbers
from destructors.rows import Fold, Rows, StoredRows
from destructors.table import Categorical
from destructors.tree import BoostedTreeDestructor
from destructors.tree._boosted import LARGE_STEP
from destructors.tree._conditional import ConditionalBoostedTrees

# Up to so many rows of both kinds, all is fitted again on all of them in the end.
_MOST_ROWS = 50_000
# Depth of trees where bytes are short. At 20 kB 3 and 5 gave new rows of `magic` -4.84
# and -4.89 nats.
_SHRUNK_DEPTH = 5


class TreeFlow(StartedDestructor):
    """Density of tabular data by marginals, a mixture and boosted trees.

    The layers are, in order: marginals that map each feature to N(0, 1) (used if
    held-out rows are for it), a Gaussian mixture whose number of components is chosen
    on held-out rows, with conditional densities that trees correct
    (`destructors.mixture.BoostedMixtureDestructor`), boosted density trees, added while
    the held-out likelihood grows, and one scale of all latents, where held-out rows lie
    farther out than normal ones (rows in memory, numbers alone).
    One set of defaults serves from a hundred rows to tables on disk
    (`destructors.open_rows`).

    **Tables of both kinds.** Where columns are categories, codes come first, by the
    marginal of a mixture whose classes numbers, integers and categories share, and by
    hidden trees, in shares that held-out rows choose; integers given codes; then
    numbers given both, by that mixture and by trees that may ask about codes and
    integers as well. The score is one exact log density, with respect to lengths in
    numbers and counts in integers and categories. Values missing in a column of
    categories are a category. What was not seen in `fit`, missing values included, has
    the probability that smoothing leaves it, and is not drawn.

    Parameters
    ----------
    categorical_features : array-like, "from_dtype" or None, default="from_dtype"
        Which columns are categories: a mask, positions or names. "from_dtype" takes
        those of a DataFrame that hold no numbers. Beside these, columns of an integer
        dtype are integers; without any, all columns are numbers.
    marginal : Destructor, "auto" or None, default="auto"
        What maps each feature to N(0, 1) first. None leaves features as they are;
        "auto" takes a `SplineGaussianizer` followed by a `BlockGaussianizer`, or
        nothing, whichever leads to the better mixture on held-out rows.
    n_components : int, list of int or "auto", default="auto"
        Number of components of the mixture, or numbers to choose from on held-out
        rows; "auto" chooses from powers of two, as many as the rows allow.
    boost_mixture : bool, default=True
        Whether trees correct the conditional densities of the mixture. Without them
        fits and scores take less time, at best half of it. Mixtures of a table
        with categories are never corrected.
    learning_rate : float or "auto", default="auto"
        Step of the root of each tree; "auto" takes 0.2 up to 200,000 rows, rising to
        0.4 at a million, and 0.2 where rows on disk take turns.
    scale_decay : float, default=1.0
        How fast steps shrink with the volume of a node.
    max_trees : int, default=3000
        Largest number of trees.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    max_depth : int, default=20
        Largest depth of a tree; None sets no limit (beyond 64).
    min_samples_leaf : float, default=5
        Smallest number of rows (or weight) in a leaf.
    max_bins : int, default=32
        Number of bins of the unit interval at whose edges a feature can be cut.
    early_stopping : bool, default=True
        Whether rows are held out to choose and to stop by. Otherwise all rows are
        trained on: ``n_components`` (one number) and ``marginal`` must then be given,
        and there are ``max_trees`` trees.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=30
        Number of trees without improvement after which to stop.
    tol : float, default=1e-4
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator, iterable, "auto" or None, default="auto"
        With folds, everything is chosen on their mean held-out scores and then fitted
        on all rows. None holds out one part, or makes folds where one row would be
        more than a tenth of that. "auto" takes 5 folds where one part would be less
        than 1,000 rows, if they are in memory, and None else.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of Destructor
        The fitted layers: the mixture (behind the marginals), the trees, the scale.
    layer_names_ : list of str
        "mixture" or "marginal-mixture"; "trees" and "scale", where they gain.
    n_components_ : int
        Number of components of the mixture, or of classes where there are categories
        (of each mixture, where their mean is taken).
    n_iter_ : int
        Number of layers.
    n_trees_ : int
        Number of trees.
    train_score_ : ndarray of shape (``len(layers_) + 1``,)
        Mean log density of the training rows before and after each layer, in nats; of
        rows on disk, after the trees that of 200,000 of them.
    validation_score_ : ndarray of shape (``len(layers_) + 1``,)
        The same for the held-out rows (mean over folds with ``cv``); empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : Distribution
        The base distribution: a `StandardNormal`, beside the distribution of integers
        and codes where there are categories.

    See Also
    --------
    AutoDestructor : Chooses from more kinds of layers.
    destructors.tree.BoostedTreeDestructor : The trees alone.
    destructors.mixture.GaussianMixtureDestructor : The mixture alone.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018. Awaya and Ma,
    *Unsupervised tree boosting for learning probability distributions*, Journal of
    Machine Learning Research 25, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import TreeFlow
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=1000)
    >>> X = np.c_[x, np.sin(2 * x) + rng.normal(scale=0.3, size=1000)]
    >>> model = TreeFlow(random_state=0).fit(X)
    >>> bool(abs(model.score(X) - -1.62) < 0.15)
    True
    >>> model.sample(3, random_state=0).shape
    (3, 2)
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        **StartedDestructor._parameter_constraints,
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "max_trees": [Interval(Integral, 1, None, closed="left")],
        "marginal": [Destructor, StrOptions({"auto"}), None],
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            StrOptions({"auto"}),
        ],
        "boost_mixture": ["boolean"],
        "learning_rate": [
            Interval(Real, 0, 1, closed="right"),
            StrOptions({"auto"}),
        ],
        "scale_decay": [Interval(Real, 0, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
        "max_bins": [Interval(Integral, 3, 255, closed="both")],
    }

    train_score_: NDArray
    validation_score_: NDArray
    # Kinds of the columns, while a table of both kinds is fitted.
    _kinds: NDArray | None = None
    _is_refitted: bool
    # Whether there are rows to scale the latents by.
    _is_scaled = False

    def __init__(
        self,
        *,
        categorical_features: Any = "from_dtype",
        marginal: Destructor | Literal["auto"] | None = "auto",
        n_components: int | Sequence[int] | Literal["auto"] = "auto",
        boost_mixture: bool = True,
        learning_rate: float | Literal["auto"] = "auto",
        scale_decay: float = 1.0,
        max_trees: int = 3000,
        max_time: float | None = None,
        max_depth: int | None = 20,
        min_samples_leaf: float = 5,
        max_bins: int = 32,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 30,
        tol: float = 1e-4,
        cv: Any = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.categorical_features = categorical_features
        self.marginal = marginal
        self.n_components = n_components
        self.boost_mixture = boost_mixture
        self.learning_rate = learning_rate
        self.scale_decay = scale_decay
        self.max_trees = max_trees
        self.max_time = max_time
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.max_bins = max_bins
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ tables

    def _categorical(self, X: Any) -> Mapping[int, Categorical]:
        how = Categorical(None, "smooth", "category")
        return dict.fromkeys(find_categorical(self, X, self.categorical_features), how)

    def _complete(self, fold: Fold) -> None:
        """Set the density of integers and codes, and add it to the scores."""
        if self._kinds is None:
            return
        (part, seed), first = self._codes, self.layers_[0]
        mixtures = self._first_mixture, first.mixture_
        found = choose_codes(part, mixtures, seed, go_on=fold.validation is None)
        train = fold.train.columns(found.columns).score(found.distribution)
        self.train_score_ = self.train_score_ + train
        # With folds, that of the first.
        self.validation_score_ = self.validation_score_ + found.held_out
        self.base_distribution_ = found.join(fold.train.n_features)
        for name in ("_kinds", "_codes", "_first_mixture", "_is_refitted"):
            delattr(self, name)

    def _attributes(
        self, engine: Greedy, seed: int, layers: list[Any]
    ) -> dict[str, Any]:
        if self._kinds is not None:
            start: Any = engine.steps[0].layer
            self._first_mixture = start.mixture_
            # A copy of the flow as it is now takes it from here.
            base = of_mixture(layers[0].mixture_, self._kinds)
            self.base_distribution_ = base.join(len(self._kinds))
        return super()._attributes(engine, seed, layers)

    def _make_task(
        self, candidates: list[tuple[str, Destructor]], seed: int, train: Rows
    ) -> StackTask:
        if self._kinds is not None:
            return MixedTask(candidates, seed)
        if self.early_stopping:
            return KnownGains(candidates, seed, self._max_layers())
        return super()._make_task(candidates, seed, train)

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        growth: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "scale_decay": self.scale_decay,
            "max_iter": self.max_trees,
            "max_depth": self.max_depth,
            "min_samples_leaf": self.min_samples_leaf,
            "max_bins": self.max_bins,
            "early_stopping": self.early_stopping,
            "n_iter_no_change": self.n_iter_no_change,
            "tol": self.tol,
        }
        if self._kinds is not None:
            n_folds = None if self._is_refitted else N_FOLDS
            start = MixtureGivenCodes(
                self.n_components, marginal=self.marginal, n_folds=n_folds
            )
            trees = TreesGivenCodes(ConditionalBoostedTrees(**growth))
            return [("mixture", start), ("trees", trees)]
        boosts = self.boost_mixture
        kind = BoostedMixtureDestructor if boosts else GaussianMixtureDestructor
        mixture = kind(self.n_components)
        starts: dict[str, Destructor] = {}
        if self.marginal is not None:
            marginal = make_marginal() if self.marginal == "auto" else self.marginal
            steps = [("marginal", marginal), ("mixture", mixture)]
            starts["marginal-mixture"] = DestructorPipeline(steps)
        if self.marginal is None or self.marginal == "auto":
            starts["mixture"] = mixture
        last = [("trees", BoostedTreeDestructor(**growth)), ("scale", HeldOutScale())]
        return [*starts.items(), *last[: 1 + self._is_scaled]]

    def _schedule(self, names: list[str]) -> Schedule:
        trees = names.index("trees")
        starts, last = names[:trees], map(TryAll, names[trees:])
        return Stages(race_starts(*starts), *last)

    def _fits_stored(self, fold: Fold) -> bool:
        # Rows of both kinds are learned from together.
        kinds = fold.train.kinds
        return kinds is None or not bool((kinds > 0).any())

    def _max_layers(self) -> int:
        # Without numbers there is nothing for trees to move.
        has_numbers = self._kinds is None or (self._kinds == 0).any()
        return 1 + has_numbers + self._is_scaled

    def _stopping(self) -> Stopping:
        # Trees have their own rule; what is left is whether they helped at all, or the
        # scale behind them.
        if not self.early_stopping:
            return Never()
        return Stopping(2, self.tol, least=self._least)

    def _make_folds(self, fold: Fold, seed: int) -> tuple[list[Fold], Fold | None]:
        if fold.validation is None and not self.early_stopping:
            for name, n_choices in (
                ("n_components", np.size(self.n_components)),
                ("marginal", 1),
            ):
                given = getattr(self, name)
                if isinstance(given, str) or n_choices > 1:
                    raise ValueError(
                        "early_stopping=False leaves no held-out rows to choose "
                        f"{name} by ({given!r}): give one, or X_val."
                    )
        kinds = fold.train.kinds
        # Integers among numbers alone are numbers.
        self._kinds = kinds if kinds is not None and (kinds > 0).any() else None
        folds, all_rows = super()._make_folds(fold, seed)
        # On disk, the trees would have to map all training rows for one more layer.
        on_disk = isinstance(fold.train, StoredRows)
        is_judged = folds[0].validation is not None
        self._is_scaled = self._kinds is None and is_judged and not on_disk
        is_held_out = fold.validation is None and self.early_stopping
        if self._kinds is not None and is_held_out and len(fold.train) <= _MOST_ROWS:
            all_rows = fold
        if self._kinds is not None:
            # For the density of codes at last.
            self._codes = folds[0], seed
            self._is_refitted = all_rows is not None
        return folds, all_rows

    def _sizes(self, layers: list[Any]) -> dict[str, Any]:
        sizes = {"n_trees_": 0}
        for layer in layers:
            if isinstance(layer, BoostedTreeDestructor | TreesGivenCodes):
                sizes["n_trees_"] = layer.n_iter_
            elif not isinstance(layer, HeldOutScale):
                mixture = layer[-1] if isinstance(layer, DestructorPipeline) else layer
                sizes["n_components_"] = mixture.n_components_
        return sizes

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        if fitted[0].layer_names_[0] == "mixture" and fitted[0].base_distribution_ != (
            StandardNormal(fitted[0].n_features_in_)
        ):
            # Only held-out rows can tell what codes need.
            return {}
        n_trees = np.mean([flow.n_trees_ for flow in fitted])
        n_components = [getattr(flow, "n_components_", 1) for flow in fitted]
        behind = [flow.layer_names_[:1] == ["marginal-mixture"] for flow in fitted]
        marginal = make_marginal() if self.marginal == "auto" else self.marginal
        return {
            "marginal": marginal if np.mean(behind) >= 0.5 else None,
            "n_components": int(np.median(n_components)),
            "max_trees": max(1, round(n_trees)),
            "early_stopping": False,
        }

    def _smaller(self) -> list[list[dict[str, Any]]]:
        rule: dict[str, Any] = {"early_stopping": True, "max_time": None, "cv": None}
        rule |= {
            "learning_rate": LARGE_STEP,
            "max_depth": _SHRUNK_DEPTH,
            "boost_mixture": False,
        }
        marginals: list[Any] = [self.marginal]
        if self.marginal == "auto" and isinstance(self.layers_[0], DestructorPipeline):
            marginals = [None, list_splines()[1]]
        elif self.marginal == "auto":
            marginals = [None]
        numbers = smaller_numbers(self.n_components_)
        return [
            [{**rule, "marginal": marginal, "n_components": n} for n in numbers]
            for marginal in marginals
        ]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = self.categorical_features is not None
        return tags
