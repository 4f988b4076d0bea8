"""Gaussianization along slices: sliced iterative normalizing flows."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval
from destructors.base import Destructor
from destructors.compose import DestructorPipeline, SlicedGaussianizer
from destructors.greedy import Cycle, GreedyDestructor, Schedule, Stages, TryAll
from destructors.linear import Whitening
from destructors.marginal import SplineGaussianizer


class SlicedGaussianization(GreedyDestructor):
    """Gaussianization along the directions that are farthest from normal.

    Features are whitened first, as they come or each mapped to N(0, 1), whichever gains
    more on held-out rows. Each further layer finds the orthogonal directions along
    which rows are farthest from normal, and goes a share of the way to N(0, 1) along
    these, while held-out rows gain.

    Parameters
    ----------
    layer : Destructor, default=None
        What is fitted again and again. None stands for
        `destructors.compose.SlicedGaussianizer`.
    max_iter : int, default=100
        Largest number of layers. Large data sets go on gaining, more and more slowly.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to hold out rows, to stop by them and to cut back. Otherwise all rows
        are trained on and there are ``max_iter`` layers.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=5
        Number of layers without improvement after which to stop.
    tol : float, default=1e-3
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator or iterable, default=None
        If given, the depth is chosen by the mean held-out score over the folds; then
        the layers are fitted on all rows.
        None holds out one part, or makes folds where one row would be more than a
        tenth of that: no value is left out.
    warm_start : bool, default=False
        Whether `fit` goes on from the layers that are there.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of Destructor
        The fitted layers: one at least.
    layer_names_ : list of str
        "whitening" or "copula" of the first, "sliced" of the others.
    information_ : ndarray of shape (``n_iter_``,)
        Negentropy that each layer removes, in nats: the rise of the mean log density
        of the training rows.
    n_iter_ : int
        Number of layers.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Mean log density of the training rows after each layer, in nats; index 0 is
        that of the untransformed rows.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows; empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    RBIG : Directions by chance or by variance, and a layer maps all of them.
    AlignmentFlow : Brings domains together along such directions.

    References
    ----------
    B. Dai and U. Seljak, *Sliced iterative normalizing flows*, ICML 2021 (GIS).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import SlicedGaussianization
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> X = np.c_[x, np.sin(2 * x) + rng.normal(scale=0.3, size=2000)]
    >>> model = SlicedGaussianization(random_state=0).fit(X)

    The true mean log density is -1.63 nats.

    >>> bool(abs(model.score(X) - -1.63) < 0.1)
    True
    >>> model.sample(3, random_state=0).shape
    (3, 2)
    """

    _least = 1
    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        "layer": [Destructor, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        layer: Destructor | None = None,
        *,
        max_iter: int = 100,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-3,
        cv: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.layer = layer
        self.max_iter = max_iter
        self.max_time = max_time
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.cv = cv
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def information_(self) -> NDArray:
        """Negentropy that each layer removes from the training rows, in nats."""
        return np.diff(self.train_score_)

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        steps = [("marginal", SplineGaussianizer()), ("whitening", Whitening())]
        return [
            ("whitening", Whitening()),
            ("copula", DestructorPipeline(steps)),
            ("sliced", SlicedGaussianizer() if self.layer is None else self.layer),
        ]

    def _schedule(self, names: list[str]) -> Schedule:
        *starts, layer = names
        return Stages(TryAll(*starts), Cycle(layer))
