"""A chain of destructors: maps composed, log-determinants summed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from destructors._compat import VisualBlock
from destructors._composite import Composite
from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import JointDistribution
from destructors.compose._adapt import adapt
from destructors.greedy import Progress
from destructors.maps import Chain, Map
from destructors.rows import Fold


class DestructorPipeline(Composite, HoldoutDestructor):
    """Chain destructors: each is fitted on the output of those before it.

    Unlike :class:`sklearn.pipeline.Pipeline`, whose score is that of its last step in
    the space that step sees, this sums the log-determinants of all steps, so that
    `score_samples` is a density of the data as they came.

    Parameters
    ----------
    steps : list of (str, Destructor or transformer) tuples
        Names and destructors, in the order in which data flow, or scikit-learn
        transformers that `as_destructor` makes one of. They are cloned before they are
        fitted.

    Attributes
    ----------
    steps_ : list of (str, Destructor) tuples
        The fitted steps.
    named_steps : Bunch
        The steps by name, fitted if the pipeline is.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : object
        The base distribution of the last step.

    See Also
    --------
    make_destructor_pipeline : The same without names.
    IterativeDestructor : A chain whose length is chosen on held-out data.

    Notes
    -----
    ``pipeline[0]`` and ``pipeline["name"]`` give a step; ``pipeline[:2]`` gives a
    pipeline that shares the (fitted) steps.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.compose import DestructorPipeline
    >>> from destructors.linear import Whitening
    >>> from destructors.marginal import SplineGaussianizer
    >>> X = np.random.default_rng(0).exponential(size=(500, 2))
    >>> model = DestructorPipeline(
    ...     [("marginal", SplineGaussianizer()), ("whiten", Whitening())]
    ... )
    >>> model.fit(X).transform(X).shape
    (500, 2)
    >>> model[:1].score(X) < 0
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {"steps": [list]}
    _parts = "steps"

    def __init__(self, steps: list[tuple[str, Destructor]]):
        self.steps = steps

    # ------------------------------------------------------------------ sequence

    @property
    def named_steps(self) -> Bunch:
        """The steps by name, fitted if the pipeline is."""
        return Bunch(**dict(self._current_steps()))

    def _current_steps(self) -> list[tuple[str, Destructor]]:
        return getattr(self, "steps_", self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Destructor]:
        return (step for _, step in self._current_steps())

    def __getitem__(self, index: int | str | slice) -> Destructor:
        if isinstance(index, str):
            return self.named_steps[index]
        if not isinstance(index, slice):
            return self._current_steps()[index][1]
        if index.step not in (None, 1) or not self.steps[index]:
            raise ValueError(
                f"{index} of the pipeline is not a run of at least one step."
            )
        part = DestructorPipeline(self.steps[index])
        if hasattr(self, "steps_"):
            part._share(self.steps_[index])
            if part.steps[0] is self.steps[0]:
                part._adopt(self)
        return part

    def _share(self, fitted: list[tuple[str, Destructor]]) -> "DestructorPipeline":
        """Take over steps that were fitted elsewhere; return the pipeline."""
        self.steps_ = fitted
        self.map_ = Chain(tuple(step.map_ for _, step in fitted))
        self.n_features_in_ = fitted[0][1].n_features_in_
        self.base_distribution_ = fitted[-1][1].base_distribution_
        return self

    def flatten(self) -> "DestructorPipeline":
        """Unpack the pipelines among the steps.

        Returns
        -------
        pipeline : DestructorPipeline
            One without nested pipelines, which shares the (fitted) steps. A step of a
            nested pipeline is named ``outer-inner``.
        """
        flat = DestructorPipeline(_flat(self.steps))
        if hasattr(self, "steps_"):
            flat._share(_flat(self.steps_))._adopt(self)
        return flat

    # ------------------------------------------------------------------ hooks

    @property
    def _dequantizes(self) -> bool:  # type: ignore[override]
        return any(getattr(step, "_dequantizes", False) for _, step in self.steps)

    def _read_part(self, name: str, part: Any) -> Destructor:
        return adapt(f"Step {name!r}", part)

    def _categorical(self, X: Any) -> Any:
        return self._check_parts()[0][1]._categorical(X)

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        progress, steps = Progress(self, noun="step"), []
        with progress.running(len(self.steps)):
            for i, (name, step) in enumerate(self._check_parts()):
                step = clone(step)
                step._validate_params()
                last = i + 1 == len(self.steps)
                if i == 0:
                    # It sees the columns as they came, and may choose among them.
                    step._adopt(self)
                progress.begin_step()
                with progress.part(name, step):
                    after = step._fit_rows(fold, onwards=self._onwards or not last)
                progress.close_step()
                if not last and isinstance(step.base_distribution_, JointDistribution):
                    raise ValueError(
                        f"Step {name!r} has discrete columns, whose latent codes no "
                        "other step can take: let it come last."
                    )
                steps.append((name, step))
                if after is not None:
                    fold = replace(after, is_trial=fold.is_trial)
            self._share(steps)
        self._leftover = fold
        return self.map_

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        return self._leftover

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        params = {}
        for i, (name, step) in enumerate(fitted[0].steps_):
            found = step._refit_params([pipeline.steps_[i][1] for pipeline in fitted])
            params.update({f"{name}__{key}": value for key, value in found.items()})
        return params

    def _sk_visual_block_(self) -> VisualBlock:
        names, steps = zip(*self._current_steps(), strict=True)
        return VisualBlock(
            "serial",
            steps,
            names=[
                f"{n}: {type(s).__name__}" for n, s in zip(names, steps, strict=True)
            ],
            name_details=[str(step) for step in steps],
            dash_wrapped=False,
        )


def _flat(steps: list[tuple[str, Destructor]]) -> list[tuple[str, Destructor]]:
    flat: list[tuple[str, Destructor]] = []
    for name, step in steps:
        if isinstance(step, DestructorPipeline):
            inner = _flat(step._current_steps())
            flat.extend((f"{name}-{inner_name}", s) for inner_name, s in inner)
        else:
            flat.append((name, step))
    return flat


def make_destructor_pipeline(*steps: Destructor) -> DestructorPipeline:
    """Chain destructors, named by their classes.

    Parameters
    ----------
    *steps : Destructor
        Destructors in the order in which data flow. Pipelines among them are unpacked.

    Returns
    -------
    pipeline : DestructorPipeline
        The steps are named by their class in lower case, numbered where one occurs
        again.

    Examples
    --------
    >>> from destructors.compose import make_destructor_pipeline
    >>> from destructors.linear import RandomRotation
    >>> from destructors.marginal import SplineGaussianizer
    >>> make_destructor_pipeline(SplineGaussianizer(), RandomRotation())
    DestructorPipeline(steps=[('splinegaussianizer', SplineGaussianizer()),
                              ('randomrotation', RandomRotation())])
    """
    flat: list[Destructor] = []
    for step in steps:
        if isinstance(step, DestructorPipeline):
            flat.extend(inner for _, inner in _flat(step.steps))
        else:
            flat.append(step)
    return DestructorPipeline(name_by_class(flat))


def name_by_class(destructors: list[Destructor]) -> list[tuple[str, Destructor]]:
    """Name destructors by their class in lower case, numbered where one recurs."""
    counts: dict[str, int] = {}
    named = []
    for destructor in destructors:
        name = type(destructor).__name__.lower()
        counts[name] = counts.get(name, 0) + 1
        named.append(
            (name if counts[name] == 1 else f"{name}{counts[name]}", destructor)
        )
    return named
