"""Rotation-based iterative Gaussianization."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.compose import DestructorPipeline
from destructors.flows._marginals import list_smaller
from destructors.greedy import (
    Cycle,
    GreedyDestructor,
    Progress,
    Schedule,
    StackTask,
    Stopping,
)
from destructors.linear import PCARotation, RandomRotation
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, Rows

# Draws of standard normal data from which the spurious gain of a layer is learned.
_N_NULL_DRAWS = 5
# More rows than this change nothing that matters, and would need memory.
_MAX_NULL_ROWS = 1_000_000


class RBIG(GreedyDestructor):
    """Rotation-based iterative Gaussianization.

    Each layer maps every feature to N(0, 1) and then rotates, so that the next layer
    sees other directions. Any density becomes normal in the limit.

    Parameters
    ----------
    marginal : Destructor, default=None
        What maps each feature to N(0, 1). None stands for `SplineGaussianizer`.
    rotation : {"alternate", "pca", "random"}, default="alternate"
        "pca" takes the principal axes of the latent, which gains fastest in many
        dimensions but can be stuck in few, where the same axes come back; "random"
        draws a rotation uniformly; "alternate" takes the two in turn.
    stopping : {"likelihood", "total_correlation"}, default="likelihood"
        "likelihood" holds out rows and stops by them. "total_correlation" trains on all
        rows and stops, as in the 2011 paper, when ``n_iter_no_change`` layers reduce
        the total correlation by no more than they would on normal data of the same
        size; ``X_val``, ``validation_fraction``, ``cv`` and ``tol`` are not used.
    max_iter : int, default=50
        Largest number of layers. Large data sets go on gaining, more and more slowly.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to stop by the rule and cut back. Otherwise all rows are trained on and
        there are ``max_iter`` layers.
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
        Seed of the hold-out and of the rotations.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of DestructorPipeline
        The fitted layers: one at least.
    layer_names_ : list of str
        Name of each layer's rotation.
    n_iter_ : int
        Number of layers.
    train_score_ : ndarray of shape (`n_iter_` + 1,)
        Mean log density of the training rows after each layer, in nats; index 0 is
        that of the untransformed rows.
    validation_score_ : ndarray of shape (`n_iter_` + 1,)
        The same for the held-out rows; empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    IterativeDestructor : The same engine with layers of one's own.

    References
    ----------
    V. Laparra, G. Camps-Valls and J. Malo, *Iterative Gaussianization: from ICA to
    random rotations*, IEEE Transactions on Neural Networks 22, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import RBIG
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> X = np.c_[x, np.sin(2 * x) + rng.normal(scale=0.3, size=2000)]
    >>> model = RBIG(rotation="random", random_state=0).fit(X)

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
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "marginal": [Destructor, None],
        "rotation": [StrOptions({"alternate", "pca", "random"})],
        "stopping": [StrOptions({"likelihood", "total_correlation"})],
    }

    def __init__(
        self,
        marginal: Destructor | None = None,
        *,
        rotation: Literal["alternate", "pca", "random"] = "alternate",
        stopping: Literal["likelihood", "total_correlation"] = "likelihood",
        max_iter: int = 50,
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
        self.marginal = marginal
        self.rotation = rotation
        self.stopping = stopping
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

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        marginal = SplineGaussianizer() if self.marginal is None else self.marginal
        rotations = {"pca": PCARotation(), "random": RandomRotation()}
        if self.rotation != "alternate":
            rotations = {self.rotation: rotations[self.rotation]}
        return [
            (name, DestructorPipeline([("marginal", marginal), ("rotation", rotation)]))
            for name, rotation in rotations.items()
        ]

    def _smaller(self) -> list[list[dict[str, Any]]]:
        return list_smaller(self.marginal)

    def _schedule(self, names: list[str]) -> Schedule:
        return Cycle(*names)

    def _by_total_correlation(self) -> bool:
        return self.early_stopping and self.stopping == "total_correlation"

    def _make_folds(self, fold: Fold, seed: int) -> tuple[list[Fold], Fold | None]:
        if not self._by_total_correlation():
            return super()._make_folds(fold, seed)
        self._null_gain = self._spurious_gain(fold.train, seed)
        return [Fold(fold.train)], None

    def _stopping(self) -> Stopping:
        if not self._by_total_correlation():
            return super()._stopping()
        return _AboveChance(
            self.n_iter_no_change, least=self._least, chance=self._null_gain
        )

    def _spurious_gain(self, rows: Rows, seed: int) -> float:
        """Return the largest gain of a layer on normal data, where there is none."""
        rng = np.random.RandomState(seed)
        n_rows = int(np.clip(np.round(rows.total), self._min_samples, _MAX_NULL_ROWS))
        base = StandardNormal(rows.n_features)
        candidates, gains = self._named_candidates(), []
        for _ in range(_N_NULL_DRAWS):
            fold = Fold(Rows.of(rng.standard_normal((n_rows, rows.n_features))))
            task = StackTask(candidates, rng.randint(2**31 - 1))
            [trial] = task.attempt(0, [fold], 0, {}, Progress(self))
            gains.append(trial.scores.train - fold.train.score(base))
        return max(gains)


@dataclass
class _AboveChance(Stopping):
    """End when layers gain no more than they would on normal data."""

    chance: float = 0.0

    def ends(self, train: Sequence[float], validation: Sequence[float]) -> bool:
        return len(train) - 1 - self.best(train, validation) >= self.n_iter_no_change

    def best(self, train: Sequence[float], validation: Sequence[float]) -> int:
        real = np.flatnonzero(np.diff(train) > self.chance)
        gained = int(real[-1]) + 1 if len(real) else 0
        return max(gained, min(self.least, len(train) - 1))
