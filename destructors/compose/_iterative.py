"""The greedy stack with layers of one's own."""

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np

from destructors._compat import HasMethods, Interval, StrOptions, VisualBlock
from destructors._composite import Composite
from destructors.base import Destructor
from destructors.compose._adapt import adapt
from destructors.compose._pipeline import make_destructor_pipeline
from destructors.greedy import (
    Cycle,
    GreedyDestructor,
    Schedule,
    Stages,
    Stopping,
    TryAll,
)
from destructors.linear import PCARotation, RandomRotation, Standardize
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold


class IterativeDestructor(Composite, GreedyDestructor):
    """Stack layers greedily, while the held-out likelihood grows.

    In each iteration the candidates are fitted on the latent of the training rows, each
    is scored by the held-out log-likelihood it leads to, and the best is kept; no layer
    is touched again. When ``n_iter_no_change`` iterations bring less than ``tol``, the
    stack is cut back to its best prefix.

    Parameters
    ----------
    candidates : Destructor or list of (str, Destructor) tuples, default=None
        What a layer can be. None stands for two: a `PCARotation` between two
        `SplineGaussianizer`, and a `RandomRotation` between two; and, for the first
        layer of rows that no other has seen, `Standardize`.
    selection : {"best", "cycle"}, default="best"
        With several candidates: "best" fits them all in each iteration and keeps the
        one with the highest held-out score (training score without held-out rows),
        ties to the first; "cycle" takes them in turn.
    look_ahead : int, default=0
        With "best", how many further layers are grown on a candidate to judge it by
        what they make of it. 0 judges it alone. Each further layer takes about as many
        fits again for each beam, less those that the next layer would take.
    n_beams : int, default=2
        How many candidates, those with the highest scores, are looked beyond.
    max_iter : int, default=100
        Largest number of layers.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to hold out rows, stop by them and cut back. Otherwise all rows are
        trained on and there are ``max_iter`` layers.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=5
        Number of layers without improvement after which to stop.
    tol : float, default=1e-3
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator or iterable, default=None
        If given, depth and choices are made by the mean held-out score of stacks that
        are grown side by side on the folds; then the layers are fitted on all rows.
        None holds out one part, or makes folds where one row would be more than a
        tenth of that: no value is left out.
    warm_start : bool, default=False
        Whether `fit` goes on from the layers that are there. The held-out rows stay the
        same.
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
        The fitted layers. May be empty, where none of the candidates that are given
        gains: see the notes.
    layer_names_ : list of str
        Name of the candidate that each layer is: of the default ones "pca", "random"
        or "standardize".
    n_iter_ : int
        Number of layers.
    train_score_ : ndarray of shape (`n_iter_` + 1,)
        Mean log density of the training rows after each layer, in nats; index 0 is
        that of the untransformed rows.
    validation_score_ : ndarray of shape (`n_iter_` + 1,)
        The same for the held-out rows (mean over folds with ``cv``); empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    DestructorPipeline : A fixed chain.
    destructors.flows.RBIG : A ready-made stack.

    Notes
    -----
    ``stack[i]`` is a layer and ``stack[:k]`` the stack of the first layers.
    The default candidates depend on neither unit nor origin of a column, and one layer
    is kept in any case: where none of the others gains more, a normal with the mean and
    the standard deviation of each column. A stack of given candidates is these alone.
    Where none gains on the rows as they are it is empty, the standard normal in the
    units that the rows come in: behind other layers, the right one. To be independent
    of units, it has `Standardize` before it in a pipeline.

    scikit-learn's callbacks work: one task a layer, and in it one for each candidate; a
    callback that returns True from ``on_fit_task_end`` of a layer ends the growth. An
    interruption or an error in a later layer ends it with a warning and keeps the
    layers before.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.compose import IterativeDestructor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> X = np.c_[x, x**2 + rng.normal(scale=0.5, size=2000)]
    >>> model = IterativeDestructor(max_iter=10, random_state=0).fit(X)
    >>> bool((model.validation_score_[1:] > model.validation_score_[0]).all())
    True
    """

    _parts = "candidates"
    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "candidates": [HasMethods(["fit", "transform"]), list, None],
        "look_ahead": [Interval(Integral, 0, None, closed="left")],
        "n_beams": [Interval(Integral, 1, None, closed="left")],
        "selection": [StrOptions({"best", "cycle"})],
    }

    # Whether rows are in units of their own, which the first layer is to take off.
    _standardizes = False

    def __init__(
        self,
        candidates: Destructor | list[tuple[str, Destructor]] | None = None,
        *,
        selection: Literal["best", "cycle"] = "best",
        look_ahead: int = 0,
        n_beams: int = 2,
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
        self.candidates = candidates
        self.selection = selection
        self.look_ahead = look_ahead
        self.n_beams = n_beams
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

    def _as_seen(self, fold: Fold) -> Fold:
        is_raw = not fold.train.are_latent
        self._standardizes = is_raw and self.candidates is None and self.early_stopping
        return super()._as_seen(fold)

    def _stopping(self) -> Stopping:
        # To have none is no choice: that would hang on units.
        return replace(super()._stopping(), least=int(self._standardizes))

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        if self.candidates is None:
            # A rotation at the end would not show in the likelihood.
            marginal = SplineGaussianizer()
            rotations = {"pca": PCARotation(), "random": RandomRotation()}
            layers: list[tuple[str, Destructor]] = [
                (name, make_destructor_pipeline(marginal, rotation, marginal))
                for name, rotation in rotations.items()
            ]
            return layers + [("standardize", Standardize())] * self._standardizes
        if not isinstance(self.candidates, list):
            name = type(self.candidates).__name__.lower()
            return [(name, self._read_part(name, self.candidates))]
        return self._check_parts()

    def _read_part(self, name: str, part: Any) -> Destructor:
        return adapt(f"Candidate {name!r}", part)

    def _schedule(self, names: list[str]) -> Schedule:
        layers = names[:-1] if self._standardizes else names
        in_turn = self.selection == "cycle"
        schedule = Cycle(*layers) if in_turn else TryAll(*layers)
        if not self._standardizes:
            return schedule
        return Stages(TryAll(*layers[: 1 if in_turn else None], names[-1]), schedule)

    def _sk_visual_block_(self) -> VisualBlock:
        names, candidates = zip(*self._named_candidates(), strict=True)
        return VisualBlock(
            "parallel",
            candidates,
            names=list(names),
            name_details=[str(candidate) for candidate in candidates],
        )
