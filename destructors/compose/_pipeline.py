"""A chain of destructors: maps composed, log-determinants summed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from destructors._compat import BaseComposition
from destructors.base import Destructor
from destructors.base_distributions import JointDistribution
from destructors.compose._adapt import as_destructor
from destructors.compose._coded import CodedKeeper
from destructors.compose._frame import FrameKeeper

__all__ = ["DestructorPipeline", "make_destructor_pipeline"]


class DestructorPipeline(BaseComposition, CodedKeeper):
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

    _parameter_constraints: ClassVar[dict] = {"steps": [list]}

    def __init__(self, steps: list[tuple[str, Destructor]]):
        self.steps = steps

    # ------------------------------------------------------------------ parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters; those of a step are named ``step__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the steps and their parameters.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        return self._get_params("steps", deep=deep)

    def set_params(self, **params: Any) -> DestructorPipeline:
        """Set parameters; a step's name sets the step itself.

        Parameters
        ----------
        **params : dict
            Names and values, such as ``marginal__alpha=0.1``.

        Returns
        -------
        self : object
            The pipeline.
        """
        self._set_params("steps", **params)
        return self

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
            if part.steps[0] is self.steps[0] and hasattr(self, "feature_names_in_"):
                part.feature_names_in_ = self.feature_names_in_
        return part

    def _share(self, fitted: list[tuple[str, Destructor]]) -> DestructorPipeline:
        """Become fitted with steps that were fitted elsewhere."""
        self.steps_ = fitted
        self.n_features_in_ = fitted[0][1].n_features_in_
        self.base_distribution_ = self._make_base_distribution()
        return self

    def flatten(self) -> DestructorPipeline:
        """Unpack the pipelines among the steps.

        Returns
        -------
        pipeline : DestructorPipeline
            One without nested pipelines, which shares the (fitted) steps. A step of a
            nested pipeline is named ``outer-inner``.
        """
        flat = DestructorPipeline(_flat(self.steps))
        if hasattr(self, "steps_"):
            flat._share(_flat(self.steps_))
            if hasattr(self, "feature_names_in_"):
                flat.feature_names_in_ = self.feature_names_in_
        return flat

    # ------------------------------------------------------------------ hooks

    _uses_validation = True

    def _fit(self, X, sample_weight, random_state, validation=None):
        self._fit_steps(X, sample_weight, validation, forward=False)

    def _fit_forward(self, X, sample_weight, random_state, validation=None):
        return self._fit_steps(X, sample_weight, validation, forward=True)

    def _discrete_groups(self, X):
        self._check_steps()
        first = self.steps[0][1]
        return first._discrete_groups(X) if isinstance(first, CodedKeeper) else {}

    def _fit_steps(self, X, sample_weight, validation, *, forward):
        self._check_steps()
        steps, total = [], np.zeros(len(X))
        for i, (name, step) in enumerate(self.steps):
            step = as_destructor(clone(step))
            step._validate_params()
            if i == 0 and isinstance(step, FrameKeeper):
                # It sees the training data as they came; an array tells no names.
                step._schema = self._schema
                if isinstance(step, CodedKeeper):
                    step._coded = self._coded
                if hasattr(self, "feature_names_in_"):
                    step.feature_names_in_ = self.feature_names_in_
            last = i + 1 == len(self.steps)
            if forward or not last:
                X, log_det = step._fit_forward_checked(X, sample_weight, validation)
                total += log_det
            else:
                step._fit_checked(X, sample_weight, validation)
            if not last and isinstance(step.base_distribution_, JointDistribution):
                raise ValueError(
                    f"Step {name!r} has discrete columns, whose latent codes no other "
                    "step can take: let it come last."
                )
            if validation is not None and not last:
                held_out, _ = step._by_rows(step._forward, validation[0])
                validation = held_out, validation[1]
            steps.append((name, step))
        self.steps_ = steps
        return (X, total) if forward else None

    def _settled_params(self, fitted):
        params = {}
        for i, (name, step) in enumerate(fitted[0].steps_):
            settled = step._settled_params(
                [pipeline.steps_[i][1] for pipeline in fitted]
            )
            params.update({f"{name}__{key}": value for key, value in settled.items()})
        return params

    def _check_steps(self):
        if not self.steps:
            raise ValueError("steps is empty: give at least one (name, destructor).")
        for entry in self.steps:
            if not (isinstance(entry, tuple) and len(entry) == 2):
                raise TypeError(
                    f"Each of steps must be a (name, destructor) tuple, got {entry!r}."
                )
            name, step = entry
            try:
                as_destructor(step)
            except TypeError as error:
                raise TypeError(
                    f"Step {name!r} must be a Destructor, or a transformer that can be "
                    f"one. {error}"
                ) from error
        self._validate_names([name for name, _ in self.steps])

    @property
    def _gives_frames(self) -> bool:
        first = self.steps_[0][1]
        return isinstance(first, FrameKeeper) and first._gives_frames

    def _forward(self, X):
        total = np.zeros(len(X))
        for _, step in self.steps_:
            X, log_det = step._forward(X)
            total += log_det
        return X, total

    def _inverse(self, Z):
        total = np.zeros(len(Z))
        for _, step in reversed(self.steps_):
            Z, log_det = step._inverse(Z)
            total += log_det
        return Z, total

    def _make_base_distribution(self):
        return self.steps_[-1][1].base_distribution_

    @property
    def _feature_wise(self) -> bool:  # type: ignore[override]
        check_is_fitted(self)
        return all(step._feature_wise for _, step in self.steps_)


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
