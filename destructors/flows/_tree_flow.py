"""A mixture, then boosted trees: the flow for tabular data."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.compose import DestructorPipeline
from destructors.flows._starts import StartedDestructor, make_marginal, race_starts
from destructors.greedy import Never, Schedule, Stages, Stopping, TryAll
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold
from destructors.tree import BoostedTreeDestructor


class TreeFlow(StartedDestructor):
    """Density of tabular data by marginals, a mixture and boosted trees.

    The layers are, in order: marginals that map each feature to N(0, 1) (used if
    held-out rows are for it), a Gaussian mixture whose number of components is chosen
    on held-out rows, and boosted density trees, added while the held-out likelihood
    grows.
    One set of defaults serves from a hundred rows to hundreds of thousands.

    Parameters
    ----------
    marginal : Destructor, "auto" or None, default="auto"
        What maps each feature to N(0, 1) first. None leaves features as they are;
        "auto" takes a `SplineGaussianizer` followed by a `BlockGaussianizer`, or
        nothing, whichever leads to the better mixture on held-out rows.
    n_components : int, list of int or "auto", default="auto"
        Number of components of the mixture, or numbers to choose from on held-out
        rows; "auto" chooses from powers of two, as many as the rows allow.
    learning_rate : float or "auto", default="auto"
        Step of the root of each tree; "auto" takes 0.2 up to 200,000 rows, rising to
        0.4 at a million.
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
        on all rows; None holds out one part. "auto" takes 5 folds where one part would
        be less than 1,000 rows.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of Destructor
        The fitted layers: the mixture (behind the marginals), and the trees.
    layer_names_ : list of str
        "mixture" or "marginal-mixture", and "trees".
    n_components_ : int
        Number of components of the mixture.
    n_iter_ : int
        Number of layers.
    n_trees_ : int
        Number of trees.
    train_score_ : ndarray of shape (``len(layers_) + 1``,)
        Mean log density of the training rows before and after each layer, in nats.
    validation_score_ : ndarray of shape (``len(layers_) + 1``,)
        The same for the held-out rows (mean over folds with ``cv``); empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

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

    _parameter_constraints: ClassVar[dict] = {
        **StartedDestructor._parameter_constraints,
        "max_trees": [Interval(Integral, 1, None, closed="left")],
        "marginal": [Destructor, StrOptions({"auto"}), None],
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            StrOptions({"auto"}),
        ],
        "learning_rate": [
            Interval(Real, 0, 1, closed="right"),
            StrOptions({"auto"}),
        ],
        "scale_decay": [Interval(Real, 0, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
        "max_bins": [Interval(Integral, 3, 255, closed="both")],
    }

    def __init__(
        self,
        *,
        marginal: Destructor | Literal["auto"] | None = "auto",
        n_components: int | Sequence[int] | Literal["auto"] = "auto",
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
        self.marginal = marginal
        self.n_components = n_components
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

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        mixture = GaussianMixtureDestructor(self.n_components)
        starts: dict[str, Destructor] = {}
        if self.marginal is not None:
            marginal = make_marginal() if self.marginal == "auto" else self.marginal
            steps = [("marginal", marginal), ("mixture", mixture)]
            starts["marginal-mixture"] = DestructorPipeline(steps)
        if self.marginal is None or self.marginal == "auto":
            starts["mixture"] = mixture
        trees = BoostedTreeDestructor(
            learning_rate=self.learning_rate,
            scale_decay=self.scale_decay,
            max_iter=self.max_trees,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_bins=self.max_bins,
            early_stopping=self.early_stopping,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
        )
        return [*starts.items(), ("trees", trees)]

    def _schedule(self, names: list[str]) -> Schedule:
        *starts, trees = names
        return Stages(race_starts(*starts), TryAll(trees))

    def _max_layers(self) -> int:
        return 2

    def _stopping(self) -> Stopping:
        # Trees have their own rule; what is left is whether they helped at all.
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
        return super()._make_folds(fold, seed)

    def _sizes(self, layers: list[Any]) -> dict[str, Any]:
        sizes = {"n_trees_": 0}
        for layer in layers:
            if isinstance(layer, BoostedTreeDestructor):
                sizes["n_trees_"] = layer.n_iter_
            else:
                mixture = layer[-1] if isinstance(layer, DestructorPipeline) else layer
                sizes["n_components_"] = mixture.n_components_
        return sizes

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
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
