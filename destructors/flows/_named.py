"""What flows with a name have in common: a first layer, and one again and again."""

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from destructors._compat import Interval
from destructors.base import Destructor
from destructors.compose import make_destructor_pipeline
from destructors.greedy import Cycle, GreedyDestructor, Schedule, Stages, TryAll
from destructors.image import FeatureGroups, ImageFeaturePairs
from destructors.linear import Standardize, Whitening
from destructors.marginal import SplineGaussianizer


def make_copula(n_jobs: int | None = None) -> Destructor:
    """Return a Gaussian copula behind a layer whose features are near normal."""
    # More knots gain nothing on held-out MNIST, and cost four times as much.
    spline = SplineGaussianizer(n_knots=40, n_jobs=n_jobs)
    return make_destructor_pipeline(Whitening(method="zca"), spline)


class NamedFlow(GreedyDestructor):
    """Base of the flows of one kind of layer behind another; a subclass gives it."""

    _least = 1
    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        "marginal": [Destructor, None],
        "layer": [Destructor, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        marginal: Destructor | None = None,
        layer: Destructor | None = None,
        *,
        max_iter: int = 200,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        tol: float = 1e-3,
        cv: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.marginal = marginal
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

    @abstractmethod
    def _make_layer(self) -> Destructor:
        """Return the layer that stands for None."""

    def _make_start(self) -> Destructor:
        return Standardize()

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        start, layer = self.marginal, self.layer
        return [
            ("start", self._make_start() if start is None else start),
            ("layer", self._make_layer() if layer is None else layer),
        ]

    def _schedule(self, names: list[str]) -> Schedule:
        start, *layers = names
        # A cycle counts all layers, and the first of them is the start.
        return Stages(TryAll(start), Cycle(layers[-1], *layers[:-1]))


class ImageFlow(NamedFlow):
    """Base of those that know where pixels are."""

    _parameter_constraints: ClassVar[dict] = {
        **NamedFlow._parameter_constraints,
        "image_shape": ["array-like", None],
    }

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        *,
        marginal: Destructor | None = None,
        layer: Destructor | None = None,
        max_iter: int = 40,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 4,
        tol: float = 1e-3,
        cv: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        super().__init__(
            marginal,
            layer,
            max_iter=max_iter,
            max_time=max_time,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            cv=cv,
            warm_start=warm_start,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.image_shape = image_shape

    def _make_start(self) -> Destructor:
        return SplineGaussianizer(n_jobs=self.n_jobs)


class ImagePairsFlow(ImageFlow):
    """Base of those that pair pixels with their eight neighbours, by turns."""

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        start, (_, learner) = super()._named_candidates()
        layers = [
            (
                f"pairs {down} {right} {offset}",
                FeatureGroups(
                    learner,
                    ImageFeaturePairs(
                        self.image_shape, direction=(down, right), offset=offset
                    ),
                    n_jobs=self.n_jobs,
                ),
            )
            for offset in (0, 1)
            for down, right in ImageFeaturePairs.DIRECTIONS
        ]
        return [start, *layers]
