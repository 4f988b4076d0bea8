"""Stacks whose first layer is one of several starts."""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from destructors._compat import StrOptions
from destructors.compose import DestructorPipeline
from destructors.greedy import GreedyDestructor, Race, Rung
from destructors.marginal import BlockGaussianizer, SplineGaussianizer
from destructors.rows import Fold, Rows, StoredRows, hash_rows

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

    def _as_seen(self, fold: Fold) -> Fold:
        fold = super()._as_seen(fold)
        return fold if self._has_splits else fold.each(join_repeats)

    def _make_folds(self, fold: Fold, seed: int) -> tuple[list[Fold], Fold | None]:
        folds, all_rows = super()._make_folds(fold, seed)
        if self._has_splits:
            folds = [fold.each(join_repeats) for fold in folds]
            all_rows = None if all_rows is None else all_rows.each(join_repeats)
        return folds, all_rows

    @property
    def _has_splits(self) -> bool:
        """Whether splits come from outside, which number the rows as they are given."""
        return not (self.cv is None or isinstance(self.cv, str | Integral))

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


def join_repeats(rows: Rows) -> Rows:
    """Return each different row once, with the weight of all that equal it.

    So weights are repeated rows to the last bit, and to fit one or the other does the
    same. Sums of the two differ by rounding, which layers behind others enlarge: one
    that is steep by its slope, one that chooses until it chooses another, and the
    whole stack by some hundredths of a nat.

    Parameters
    ----------
    rows : Rows
        That no layer has seen. If none repeats, and weights are all one, they come back
        as they are, without weights. So do those on disk, those with a context, and
        those with categories, which have other layers.
    """
    has_kinds = rows.kinds is not None and (rows.kinds > 0).any()
    if isinstance(rows, StoredRows) or rows.has_context or has_kinds:
        return rows
    if rows.weight is None or (rows.weight == 1.0).all():
        rows = replace(rows, weight=None)
        if len(np.unique(hash_rows(rows.values, 0))) == len(rows):
            return rows
    values, weight, _ = rows.unique()
    zeros = np.zeros(len(values))
    return replace(rows, values=values, log_det=zeros, weight=weight, kept=None)
