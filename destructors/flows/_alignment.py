"""Two or more domains into one space."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from destructors._compat import Interval, StrOptions
from destructors.alignment import (
    DomainMap,
    GaussianBarycenter,
    SlicedBarycenter,
)
from destructors.alignment._domains import Samples, hold_out, hold_out_in_turn
from destructors.alignment._layer import BarycenterMap
from destructors.base import Destructor
from destructors.compose._greedy import GreedyStackMixin, Trial
from destructors.metrics import energy_coefficient

__all__ = ["AlignmentFlow"]

# Of the held-out and of the training rows at most about so many are compared: distances
# between all rows would cost more than the layers.
_MOST_COMPARED, _MOST_COMPARED_IN_TRAINING = 2000, 500
# A hold-out of fewer rows is too noisy to stop by; all rows take their turn then.
_ENOUGH_HELD_OUT, _N_FOLDS = 1000, 3


class _Fold(NamedTuple):
    """Rows to fit on, and rows to judge by."""

    train: Samples
    validation: Samples | None


class AlignmentFlow(GreedyStackMixin, DomainMap):
    r"""Map two or more domains into one shared space, invertibly.

    Layers that bring the domains closer are stacked greedily, without an adversary: in
    each iteration the kinds of layers of `destructors.alignment` are fitted to what the
    layers below have left, and the one that lowers the divergence between held-out rows
    of the domains most is kept. The flow stops when nothing lowers it any more, and is
    cut back to where it was lowest.

    Parameters
    ----------
    layers : list of (str, DomainMap) tuples, default=None
        The portfolio: what a layer can be, such as any of `destructors.alignment`. None
        stands for `GaussianBarycenter` and `SlicedBarycenter`, with which held-out rows
        end closest in most cases.
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
        would be less than 1,000 rows.
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
    layers_ : list of DomainMap
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
    density_ : Destructor
        The density of the shared space, if ``density`` is given.
    domains_ : ndarray of shape (n_domains,)
        Labels of the domains.
    domain_weights_ : ndarray of shape (n_domains,)
        Share of each in the shared space.
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
    Distances are taken in the units of the data: bring features of different kinds to
    one scale first, for instance with `sklearn.preprocessing.StandardScaler`.

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
        **{
            name: constraint
            for name, constraint in GreedyStackMixin._greedy_constraints.items()
            if name != "warm_start"
        },
        **DomainMap._parameter_constraints,
        "layers": [list, None],
        "n_directions": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "density": [Destructor, None],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
    }
    # Rows of both parts are needed.
    _min_domain_samples = 4

    def __init__(
        self,
        layers: list[tuple[str, DomainMap]] | None = None,
        *,
        n_directions: int | None = None,
        learning_rate: float = 0.6,
        domain_weights: str | Mapping | ArrayLike = "uniform",
        density: Destructor | None = None,
        max_iter: int = 100,
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
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.cv = cv
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fitting

    def _fit(self, samples, validation, random_state):
        entropy, split_seed = random_state.randint(2**31 - 1, size=2)
        self._check_layers()
        samples = samples.shuffle()
        self._tired: set[int] = set()
        folds, all_rows = self._make_folds(samples, validation, int(split_seed))
        self._start(folds, int(entropy))
        self._grow(folds, all_rows)
        if self.density is not None:
            self._fit_density(samples, random_state)

    def _make_folds(
        self, samples: Samples, validation: Samples | None, seed: int
    ) -> tuple[list[_Fold], _Fold | None]:
        """Give the folds to grow on; with ``cv`` all rows too, to fit on at last."""
        if validation is not None or not self.early_stopping:
            return [_Fold(samples, validation)], None
        n_folds = self.cv
        if n_folds == "auto":
            n_held_out = sum(samples.totals()) * self.validation_fraction
            n_folds = None if n_held_out >= _ENOUGH_HELD_OUT else _N_FOLDS
        if n_folds is None:
            return [_Fold(*hold_out(samples, self.validation_fraction, seed))], None
        folds = [_Fold(*parts) for parts in hold_out_in_turn(samples, n_folds, seed)]
        return folds, _Fold(samples, None)

    def _check_layers(self) -> None:
        if self.layers is not None and not self.layers:
            raise ValueError("layers is empty: give at least one (name, layer) tuple.")
        for entry in self.layers or []:
            if not (isinstance(entry, tuple) and isinstance(entry[-1], DomainMap)):
                raise TypeError(
                    f"Each of layers must be a (name, DomainMap) tuple, got {entry!r}."
                )

    def _fit_density(self, samples: Samples, random_state) -> None:
        shared = [self._forward(X, k)[0] for k, X in enumerate(samples.rows)]
        weight = samples.pooled_weight()
        density = clone(self.density)
        if "random_state" in density.get_params():
            density.set_params(random_state=random_state.randint(2**31 - 1))
        # Every domain counts as much; weights sum to the number of rows they stand for.
        self.density_ = density.fit(
            np.vstack(shared), sample_weight=weight * sum(samples.totals())
        )

    # ------------------------------------------------------------------ engine hooks

    def _named_candidates(self) -> list[tuple[str, DomainMap]]:
        if self.layers is not None:
            return self.layers
        # The flow decides by held-out rows whether to take a layer. That each should
        # choose its step by them too would only add noise, where steps are small.
        sliced = SlicedBarycenter(
            self.n_directions, learning_rate=self.learning_rate, shrinkage=0.0
        )
        return [("gaussian", GaussianBarycenter()), ("sliced", sliced)]

    def _turn(self, n_layers, n_candidates):
        return [c for c in range(n_candidates) if c not in self._tired]

    def _note_gains(self, gains):
        last = len(self._named_candidates()) - 1
        self._tired |= {c for c, gain in gains.items() if gain < self.tol and c != last}

    def _try_candidate(self, candidate: DomainMap, fold: _Fold) -> Trial:
        random_state = check_random_state(getattr(candidate, "random_state", None))
        candidate._fit_checked(*fold, self.domain_weights_, random_state)
        fold = _Fold(
            _pass(candidate, fold.train),
            fold.validation and _pass(candidate, fold.validation),
        )
        return Trial(candidate, fold, *self._fold_scores(fold))

    def _settled_layers(self, layers):
        # Without held-out rows a layer goes as far as it did with them.
        if not isinstance(layers[0], BarycenterMap):
            return {}
        shares = [layer.step_ / layer.learning_rate for layer in layers]
        return {"shrinkage": float(np.clip(1.0 - np.mean(shares), 0.0, 1.0))}

    def _fold_scores(self, fold: _Fold) -> tuple[float, float]:
        validation = fold.validation
        train = _divergence(fold.train, _MOST_COMPARED_IN_TRAINING)
        if validation is None:
            return -train, np.nan
        return -train, -_divergence(validation, _MOST_COMPARED)

    def _set_scores(self):
        super()._set_scores()
        # The engine's scores are larger where they are better.
        del self.train_score_, self.validation_score_
        self.divergence_ = -np.array([self._train_scores, self._validation_scores])

    # ------------------------------------------------------------------ mapping

    def _forward(self, X, domain):
        total = np.zeros(len(X))
        for layer in self.layers_:
            X, log_det = layer._forward(X, domain)
            total += log_det
        return X, total

    def _inverse(self, Z, domain):
        total = np.zeros(len(Z))
        for layer in reversed(self.layers_):
            Z, log_det = layer._inverse(Z, domain)
            total += log_det
        return Z, total

    # ------------------------------------------------------------------ density

    def _has_density(self) -> bool:
        if self.density is None:
            raise AttributeError(
                "The flow has no density: give AlignmentFlow a destructor as density."
            )
        return True

    @available_if(_has_density)
    def score_samples(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> NDArray:
        """Log density of each row given its domain, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(x | domain)``.
        """
        Z, log_det = self.transform_and_log_det(X, sample_domain=sample_domain)
        return self.density_.score_samples(Z) + log_det

    @available_if(_has_density)
    def sample(
        self,
        n_samples: int = 1,
        *,
        domain: Any,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray:
        """Draw rows from the learned density of a domain.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        domain : label
            The domain to draw from.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Samples.

        Raises
        ------
        ValueError
            If ``n_samples`` is less than 1 or ``domain`` was not there in `fit`.
        """
        check_is_fitted(self)
        number = self._number(domain)
        Z = self.density_.sample(n_samples, random_state=random_state)
        return self._inverse(Z, number)[0]


def _divergence(samples: Samples, most: int) -> float:
    """Divergence among the domains, by not too many rows of each."""
    n_rows = most // len(samples.rows)
    few = Samples(
        [X[:n_rows] for X in samples.rows],
        [None if weight is None else weight[:n_rows] for weight in samples.weights],
    )
    return energy_coefficient(*few)


def _pass(layer: DomainMap, samples: Samples) -> Samples:
    mapped = [layer._forward(X, k)[0] for k, X in enumerate(samples.rows)]
    return samples._replace(rows=mapped)
