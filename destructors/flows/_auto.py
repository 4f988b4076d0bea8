"""The portfolio default: layers of any kind, whatever helps most next."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from destructors._compat import Interval
from destructors.autoregressive import RegressionDestructor
from destructors.base import Destructor
from destructors.compose import RadialGaussianizer, make_destructor_pipeline
from destructors.flows._sliced import SlicedGaussianization
from destructors.flows._starts import StartedDestructor, make_marginal, race_starts
from destructors.greedy import Never, Retire, Schedule, Stages, Stopping, TryAll
from destructors.linear import PCARotation
from destructors.marginal import SplineGaussianizer
from destructors.mixture import BoostedMixtureDestructor
from destructors.tree import BoostedTreeDestructor, TreeDestructor

# Regressions among more features than this cost more than all other layers together.
_MOST_REGRESSED = 20


class AutoDestructor(StartedDestructor):
    """A good density without choices: a portfolio of all kinds of layers.

    The stack starts with a mixture, alone or behind marginals, with one density tree
    behind marginals, or with an elliptical density, whichever gains most on held-out
    rows; if mixtures or the tree gain most, and regressions among the features in front
    of a mixture still more, these come first (tried on 2 to 20 features). Boosted trees
    follow. Then each iteration takes, from rotated marginals, mixtures and more trees,
    the layer with the largest held-out gain; a kind that gained nothing is retired.
    When none of them gains any more, sliced layers are tried. The stack is cut back to
    the shortest prefix that is within ``tol`` of the best.

    Parameters
    ----------
    max_iter : int, default=10
        Largest number of layers.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether rows are held out to choose and to stop by. Otherwise all rows are
        trained on, choices are by the training score, and there are ``max_iter``
        layers: this overfits, and is for tests.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=2
        Number of layers without improvement after which to stop.
    tol : float, default=1e-3
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator, iterable, "auto" or None, default="auto"
        With folds, everything is chosen on their mean held-out scores and then fitted
        on all rows. None holds out one part, or makes folds where one row would be
        more than a tenth of that. "auto" takes 5 folds where one part would be less
        than 1,000 rows, and None else.
    n_jobs : int, default=None
        Number of threads that fit candidates, and transform rows, side by side. The
        result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of Destructor
        The fitted layers: one at least.
    layer_names_ : list of str
        Kind of each layer.
    n_iter_ : int
        Number of layers.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Mean log density of the training rows before and after each layer, in nats.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows (mean over folds with ``cv``); empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    TreeFlow : The same without the choice of layers; faster.
    SlicedGaussianization : Sliced layers alone.
    destructors.compose.IterativeDestructor : A portfolio of one's own.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import AutoDestructor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-2, 2, size=500)
    >>> X = np.c_[x, np.exp(x) + rng.normal(scale=0.1, size=500)]
    >>> model = AutoDestructor(random_state=0).fit(X)
    >>> bool(abs(model.score(X) - (-np.log(4) - np.log(0.1) - 1.42)) < 0.3)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **StartedDestructor._parameter_constraints,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        max_iter: int = 10,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 2,
        tol: float = 1e-3,
        cv: Any = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.max_iter = max_iter
        self.max_time = max_time
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ portfolio

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        # Folds where the rows to choose by are folds, too: in the fit to all rows.
        mixture, marginal = BoostedMixtureDestructor(n_folds=5), make_marginal()
        regression = RegressionDestructor()
        tree = TreeDestructor(min_samples_leaf=0, max_bins=128, splitter="look-ahead")
        chain = make_destructor_pipeline
        # Of equals the first is taken, so the cheaper stands before.
        return [
            ("mixture", mixture),
            ("marginal-mixture", chain(marginal, mixture)),
            ("regression-mixture", chain(regression, mixture)),
            ("marginal-regression-mixture", chain(marginal, regression, mixture)),
            ("rotation", chain(PCARotation(), SplineGaussianizer())),
            ("trees", BoostedTreeDestructor()),
            ("marginal-tree", chain(marginal, tree)),
            ("sliced", SlicedGaussianization(n_iter_no_change=2)),
            ("radial", RadialGaussianizer()),
        ]

    def _stopping(self) -> Stopping:
        if not self.early_stopping:
            return Never()
        # What is tried at last gains little, and some of it by chance.
        return Stopping(
            self.n_iter_no_change, self.tol, enough=self.tol, least=self._least
        )

    def _schedule(self, names: list[str]) -> Schedule:
        behind, starts = None, ["mixture", "marginal-mixture", "marginal-tree"]
        if self.n_features_in_ > 1:
            starts.append("radial")
        if 1 < self.n_features_in_ <= _MOST_REGRESSED:
            # Regressions cost most: they are tried behind the better start only.
            behind = {
                "mixture": "regression-mixture",
                "marginal-mixture": "marginal-regression-mixture",
                "marginal-tree": "marginal-regression-mixture",
            }.get
        return Stages(
            race_starts(*starts, then=behind),
            TryAll("trees"),
            # Sliced layers leave little to the others, which gain more where they can.
            Retire(
                *("rotation", "mixture", "trees"),
                tol=self.tol,
                since=1,
                reserve="sliced",
            ),
        )
