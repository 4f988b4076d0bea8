"""Stacks whose first layer is one of several starts."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from destructors._compat import StrOptions
from destructors.compose import DestructorPipeline
from destructors.greedy import GreedyDestructor, Race, Rung
from destructors.marginal import BlockGaussianizer, SplineGaussianizer
from destructors.rows import Rows, StoredRows

# A hold-out of fewer rows is too noisy to choose by; all rows take their turn then.
_ENOUGH_HELD_OUT, _N_FOLDS = 1000, 5
# Starts are compared on one fold and 2,000 training rows first, or a tenth of them,
# which costs about a tenth; those that fall behind the best by more than the margin, in
# nats, are not fitted in full. Where more are left, 40,000 rows tell which is the best.
_RUNGS = (Rung(2000, 0.4, fraction=0.1, n_most=10_000), Rung(40_000, 0.0))


class StartedDestructor(GreedyDestructor):
    """Base of the stacks that compare starts, and that a fit makes from scratch."""

    _least = 1
    _parameter_constraints: ClassVar[dict] = {
        **GreedyDestructor._parameter_constraints,
        "cv": ["cv_object", StrOptions({"auto"})],
    }

    def _get_cv(self, rows: Rows) -> Any:
        if not isinstance(self.cv, str):
            return self.cv
        if rows.total * self.validation_fraction >= _ENOUGH_HELD_OUT:
            return None
        if isinstance(rows, StoredRows):
            # Blocks as small as that are for a try.
            return None
        n_distinct = len(np.unique(rows.hashes(0)))
        return min(_N_FOLDS, max(n_distinct, 2))


def race_starts(*names: str, then: Callable[[str], str | None] | None = None) -> Race:
    """Return the schedule that compares starts on few rows first."""
    return Race(*names, rungs=_RUNGS, then=then)


def make_marginal() -> DestructorPipeline:
    """Return smooth marginals, and what these can't see: gaps, steps and atoms."""
    return DestructorPipeline(
        [("spline", SplineGaussianizer()), ("blocks", BlockGaussianizer())]
    )
