"""Stacks whose first layer is one of several starts."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from destructors._compat import StrOptions
from destructors._splits import hash_roughly
from destructors.compose import DestructorPipeline
from destructors.compose._stack import Fold, GreedyDestructor, Rows
from destructors.marginal import BlockGaussianizer, SplineGaussianizer

__all__ = ["StartedDestructor", "make_marginal"]

# A hold-out of fewer rows is too noisy to choose by; all rows take their turn then.
_ENOUGH_HELD_OUT, _N_FOLDS = 1000, 5
# Starts are compared on one fold and so many training rows first; those that fall
# behind the best by more than the margin, in nats, are not fitted in full.
_N_TRIAL_ROWS, _TRIAL_MARGIN = 2000, 0.4


class StartedDestructor(GreedyDestructor):
    """Base of the stacks that compare starts, and that a fit makes from scratch.

    A subclass gives `_find_starts` beside `_named_candidates`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **{
            name: constraint
            for name, constraint in GreedyDestructor._parameter_constraints.items()
            if name != "warm_start"
        },
        "cv": ["cv_object", StrOptions({"auto"})],
    }
    warm_start = False

    @abstractmethod
    def _find_starts(self) -> list[int]:
        """Give the numbers of the candidates that can be the first layer."""

    def _start(self, folds, entropy):
        super()._start(folds, entropy)
        # What is left of the starts once they were compared.
        self._starts: list[int] | None = None
        costly = len(folds) > 1 or len(folds[0].train.latent) > 2 * _N_TRIAL_ROWS
        if costly and len(self._find_starts()) > 1:
            names, candidates = zip(*self._named_candidates(), strict=True)
            fold = [_shorten(folds[0])]
            fitted = self._try_turn(self._find_starts(), names, candidates, fold)
            gains = {c: self._gain(trials) for c, trials in fitted.items()}
            enough = max(gains.values()) - _TRIAL_MARGIN
            self._starts = [c for c, gain in gains.items() if gain >= enough]

    def _turn(self, n_layers, n_candidates):
        return self._find_starts() if self._starts is None else self._starts

    def _get_cv(self, rows):
        if not isinstance(self.cv, str):
            return self.cv
        total = len(rows.latent) if rows.weight is None else rows.weight.sum()
        if total * self.validation_fraction >= _ENOUGH_HELD_OUT:
            return None
        n_distinct = len(np.unique(hash_roughly(rows.latent, 0)))
        return min(_N_FOLDS, max(n_distinct, 2))


def make_marginal() -> DestructorPipeline:
    """Smooth marginals, and what these can't see: gaps, steps and atoms."""
    return DestructorPipeline(
        [("spline", SplineGaussianizer()), ("blocks", BlockGaussianizer())]
    )


def _shorten(fold: Fold) -> Fold:
    """Keep a few training rows, chosen by content."""
    train = fold.train
    few = np.argsort(hash_roughly(train.latent, 0), kind="stable")[:_N_TRIAL_ROWS]
    weight = None if train.weight is None else train.weight[few]
    return fold._replace(train=Rows(train.latent[few], train.log_det[few], weight))
