"""Two or more domains into one space."""

from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from destructors._compat import Interval, StrOptions
from destructors._composite import Composite
from destructors.alignment._apart import RowsApart
from destructors.alignment._base import DomainDestructor
from destructors.alignment._domains import (
    by_domain,
    divergence,
    in_order,
    pool,
    split_domains,
)
from destructors.alignment._gaussian import GaussianBarycenter
from destructors.alignment._sliced import SlicedBarycenter
from destructors.base import Destructor
from destructors.greedy import GreedyDestructor, Retire, Schedule, Scores, StackTask
from destructors.maps import Map
from destructors.rows import Fold, Rows

# Of the held-out and of the training rows at most about so many are compared: distances
# between all rows would cost more than the layers.
_MOST_COMPARED, _MOST_COMPARED_IN_TRAINING = 2000, 500
# A hold-out of fewer rows is too noisy to stop by; every row is held out once then.
_ENOUGH_HELD_OUT, _N_FOLDS = 1000, 3
# Steps of the search for directions. Each costs messages where domains stay apart, and
# the flow ends as close with 1 to 10 of them: at 0.0003 to 0.0004 where it began at
# 0.05, on generated tables of 6 and 20 columns. With few there are more layers.
_N_STEPS, _N_STEPS_APART = 10, 3


class AlignmentTask(StackTask):
    """Destructors of domains as layers, minus the divergence as objective.

    Parameters
    ----------
    candidates, seed
        As in `StackTask`.
    flow : AlignmentFlow
        Whose domains and shares in the barycenter all layers have.
    """

    def __init__(self, candidates: list[tuple[str, Any]], seed: int, flow: Any):
        super().__init__(candidates, seed)
        self.flow = flow

    def score(self, state: Fold) -> Scores:
        """Return minus the divergences among the rows as they are.

        Of domains that stay apart those of training rows are not asked for.
        """
        if state.validation is not None and isinstance(state.train, RowsApart):
            held_out = -divergence(state.validation)
            return Scores(np.nan, held_out, held_out)
        train = -divergence(state.train, _MOST_COMPARED_IN_TRAINING)
        if state.validation is None:
            return Scores(train, np.nan, np.nan)
        held_out = -divergence(state.validation, _MOST_COMPARED)
        return Scores(train, held_out, held_out)

    def prepare(self, layer: DomainDestructor, fold: Fold) -> None:
        """Set the domains of a layer, and their shares."""
        layer.domains_ = self.flow.domains_
        layer.domain_weights = self.flow.domain_weights_

    def check(self, layer: DomainDestructor, scores: Scores, after: Fold) -> None:
        """Refuse a layer that gives NaN."""
        if np.isnan(scores.train if after.validation is None else scores.criterion):
            raise FloatingPointError(f"{type(layer).__name__} gives NaN.")


class AlignmentFlow(Composite, DomainDestructor, GreedyDestructor):
    r"""Map two or more domains into one shared space, invertibly.

    Layers that bring the domains closer are stacked greedily, without an adversary: in
    each iteration the kinds of layers of `destructors.alignment` are fitted to what the
    layers below have left, and the one that lowers the divergence between held-out rows
    of the domains most is kept. The flow stops when nothing lowers it any more, and is
    cut back to where it was lowest.

    Parameters
    ----------
    layers : list of (str, DomainDestructor) tuples, default=None
        The portfolio: what a layer can be, such as any of `destructors.alignment`. None
        stands for `GaussianBarycenter` and `SlicedBarycenter`, with which held-out rows
        end closest in most cases. Their ``domain_weights`` are those of the flow.
    n_directions : int, default=None
        Number of directions of a sliced layer. None takes all, and at most 30.
    learning_rate : float, default=0.6
        Share of the way to the barycenter that a sliced layer goes. Many small steps
        follow the training rows less closely than few large ones.
    domain_weights : str, dict or array-like, default="uniform"
        Share of each domain in the shared space: the same ("uniform"), as the numbers
        of rows ("proportional"), or all for the targets, whose labels are negative
        ("target"). A dict gives weights by label, and those that are not there have
        none: ``{"b": 1}`` leaves "b" as it is and aligns everything to it.
    density : Destructor, default=None
        If given, a clone of it is fitted on the training rows in the shared space, and
        `score_samples` and `sample` give the density of each domain.
    max_iter : int, default=100
        Largest number of layers.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to hold out rows, stop by them and cut back. Otherwise all rows are
        trained on and there are ``max_iter`` layers.
    validation_fraction : float, default=0.1
        Share of the rows of each domain to hold out. Equal rows always go to the same
        part.
    cv : int, "auto" or None, default="auto"
        Number of folds. Flows are grown side by side on them, kinds and number of
        layers are chosen by their mean held-out divergence, and the layers are then
        fitted to all rows. None holds out one part. "auto" takes 3 folds where one part
        would be less than 1,000 rows, and none where domains stay apart.
    n_iter_no_change : int, default=10
        Number of layers without improvement after which to stop.
    tol : float, default=1e-5
        Fall of the held-out divergence that counts as improvement. A kind of layer that
        lowers it by less is not tried again, but for the last in the list.
    n_jobs : int, default=None
        Number of threads that fit candidates side by side. The result does not depend
        on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer: minus the divergence.

    Attributes
    ----------
    layers_ : list of DomainDestructor
        The fitted layers. May be empty: where the domains are one already.
    layer_names_ : list of str
        Kind of each layer.
    n_iter_ : int
        Number of layers.
    divergence_ : ndarray of shape (2, ``n_iter_ + 1``)
        Divergence among the domains before and after each layer, in the first row of
        the training rows and in the second of the held-out ones (NaN without any): the
        `destructors.metrics.energy_coefficient`, of up to 500 and 2,000 rows in all.
        With folds it is the mean over them, from before the fit to all rows.
    train_score_, validation_score_ : ndarray
        Minus the rows of ``divergence_``, the second without NaN.
    density_ : Destructor
        The density of the shared space, if ``density`` is given.
    base_distribution_ : Density or None
        What was learned by it.
    domains_ : ndarray of shape (n_domains,)
        Labels of the domains.
    domain_weights_ : ndarray of shape (n_domains,)
        Share of each in the shared space.
    communication_ : dict
        What has travelled, where domains stay apart
        (`destructors.alignment.DomainsApart`): for each domain the messages, and the
        bytes "sent" to it and "received".
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    destructors.alignment.SlicedBarycenter : The layer that does most of the work.
    destructors.metrics : Distances between domains, and what chance makes of them.

    Notes
    -----
    Optimal transport moves rows by as little as it can, in the units of the data: the
    maps go with the origin of each feature and with a unit that all share, but change
    with the units of features beside each other. Those of images are equal and should
    stay so. Bring features of different kinds to one scale first, for instance with
    `sklearn.preprocessing.StandardScaler` in a `Pipeline`; behind it, units no longer
    matter. Where features differ so much that the smaller ones would lose their digits,
    or an outlier would move its whole domain that far, or rows a million times as far
    out as a feature ranges would leave float64, `fit` raises ValueError.

    ``flow[i]`` is a layer, ``flow[:k]`` the flow of the first layers, and
    `staged_transform` goes through them.

    Requests of scikit-learn's metadata routing are set: inside a `Pipeline` or a search
    ``sample_domain`` arrives without further ado.

    References
    ----------
    Zhou, Gong, Ravikumar and Inouye, *Iterative alignment flows*, AISTATS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_circles, make_moons
    >>> from destructors.flows import AlignmentFlow
    >>> moons, _ = make_moons(500, noise=0.05, random_state=0)
    >>> circles, _ = make_circles(500, noise=0.05, factor=0.5, random_state=0)
    >>> X = np.vstack([moons, circles])
    >>> domain = np.repeat(["moons", "circles"], 500)
    >>> flow = AlignmentFlow(max_iter=10, random_state=0).fit(X, sample_domain=domain)
    >>> bool(flow.divergence_[1, -1] < 0.2 * flow.divergence_[1, 0])
    True
    >>> flow.translate(moons, source="moons", target="circles").shape
    (500, 2)
    """

    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        **DomainDestructor._parameter_constraints,
        "layers": [list, None],
        "n_directions": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "density": [Destructor, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "cv": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"}), None],
    }
    _parts = "layers"
    # While domains that stay apart are aligned.
    _is_apart = False
    # Rows of both parts are needed.
    _min_domain_samples = 4

    def __init__(
        self,
        layers: list[tuple[str, DomainDestructor]] | None = None,
        *,
        n_directions: int | None = None,
        learning_rate: float = 0.6,
        domain_weights: str | Mapping | ArrayLike = "uniform",
        density: Destructor | None = None,
        max_iter: int = 100,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        cv: int | Literal["auto"] | None = "auto",
        n_iter_no_change: int = 10,
        tol: float = 1e-5,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.layers = layers
        self.n_directions = n_directions
        self.learning_rate = learning_rate
        self.domain_weights = domain_weights
        self.density = density
        self.max_iter = max_iter
        self.max_time = max_time
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.cv = cv
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fitting

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        self.base_distribution_, rng = None, check_random_state(random_state)
        self._leftover = rng
        fold = fold.each(in_order)
        map_ = super()._fit(fold, rng)
        self.__dict__.pop("_is_apart", None)
        if self.density is not None:
            self._fit_density(fold.through(map_), rng.randint(2**31 - 1))
        return map_

    def _make_folds(self, fold: Fold, seed: int) -> tuple[list[Fold], Fold | None]:
        split_seed = self._leftover.randint(2**31 - 1)
        self._is_apart = isinstance(fold.train, RowsApart)
        if fold.validation is not None or not self.early_stopping:
            return [fold], None
        cv = self.cv
        if cv == "auto" and self._is_apart:
            cv = None
        if cv == "auto":
            n_held_out = fold.train.total * self.validation_fraction
            cv = None if n_held_out >= _ENOUGH_HELD_OUT else _N_FOLDS
        folds = split_domains(fold.train, cv, self.validation_fraction, split_seed)
        return folds, None if cv is None else fold

    def _fit_density(self, fold: Fold, seed: int) -> None:
        density = clone(self.density)
        if "random_state" in density.get_params():
            density.set_params(random_state=seed)
        density._validate_params()
        density._fit_rows(fold.each(_pool))
        self.density_ = density
        self.base_distribution_ = density.to_density()

    def _named_candidates(self) -> list[tuple[str, Any]]:
        if self.layers is not None:
            return self._check_parts()
        # The flow decides by held-out rows whether to take a layer. That each should
        # choose its step by them too would only add noise, where steps are small.
        n_steps = _N_STEPS_APART if self._is_apart else _N_STEPS
        sliced = SlicedBarycenter(
            self.n_directions, max_iter=n_steps, learning_rate=self.learning_rate
        )
        return [("gaussian", GaussianBarycenter()), ("sliced", sliced)]

    def _read_part(self, name: str, part: Any) -> DomainDestructor:
        if isinstance(part, DomainDestructor):
            return part
        raise TypeError(
            "Each of layers must be a (name, DomainDestructor) tuple, got "
            f"{(name, part)!r}."
        )

    def _make_task(self, candidates: Any, seed: int, train: Rows) -> AlignmentTask:
        return AlignmentTask(candidates, seed, self)

    def _schedule(self, names: list[str]) -> Schedule:
        return Retire(*names, tol=self.tol, keep=names[-1])

    @property
    def divergence_(self) -> NDArray:
        """Divergence before and after each layer, of training and of held-out rows."""
        train, held_out = self.train_score_, self.validation_score_
        return -np.stack([train, held_out if len(held_out) else train * np.nan])

    # ------------------------------------------------------------------ stages

    def staged_transform(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> Iterator[NDArray]:
        """Yield the rows after each layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Yields
        ------
        Z : ndarray of shape (n_samples, n_features)
            Rows after 1, 2, … layers.
        """
        for rows in self._stages(X, None, sample_domain):
            yield rows.values

    @available_if(DomainDestructor._has_density)
    def staged_score_samples(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> Iterator[NDArray]:
        """Yield the log density of each row after each layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Yields
        ------
        log_density : ndarray of shape (n_samples,)
            Log densities under the first 1, 2, … layers and the density of the shared
            space, in nats.
        """
        for rows in self._stages(X, None, sample_domain):
            yield self.base_distribution_.logpdf(rows.values) + rows.log_det

    def score_layers(
        self,
        X: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: ArrayLike | None = None,
    ) -> NDArray:
        """Return how much closer each layer brings the domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of at least two domains.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        gains : ndarray of shape (``n_iter_``,)
            Fall of the `destructors.metrics.energy_coefficient` by each layer.
        """
        given = X, sample_weight, sample_domain
        after = map(divergence, self._stages(*given))
        return -np.diff([divergence(self._read(*given)), *after])

    def _stages(self, X: Any, *known: Any) -> Iterator[Rows]:
        rows = self._read(X, *known)
        for layer in self.layers_:
            rows = rows.through(layer.map_)
            yield rows


def _pool(rows: Rows) -> Rows:
    """Return the rows of all domains as those of one, of which each is as much."""
    values, weight = pool(by_domain(rows))
    return Rows.of(values, weight * rows.total, n_jobs=rows.n_jobs)
