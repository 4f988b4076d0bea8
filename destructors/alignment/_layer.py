"""Base of the layers: a map to the barycenter, of which a share is gone."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils import check_random_state

from destructors._compat import Interval, StrOptions
from destructors.alignment._domain_map import DomainMap
from destructors.alignment._domains import Samples, hold_out
from destructors.metrics import energy_coefficient

__all__ = ["BarycenterMap"]

# Shares of the way that are compared on held-out rows.
_STEPS = (1.0, 0.75, 0.5, 0.25, 0.0)
_VALIDATION_FRACTION = 0.2


class BarycenterMap(DomainMap):
    """Base of the layers.

    A subclass gives `_fit_maps` and `_set_step` beside `_forward` and `_inverse`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **DomainMap._parameter_constraints,
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    @abstractmethod
    def _fit_maps(self, samples: Samples, random_state: np.random.RandomState) -> None:
        """Fit the maps to the barycenter."""

    @abstractmethod
    def _set_step(self, step: float) -> None:
        """Let the maps go this share of the way from the identity."""

    def _fit(self, samples, validation, random_state):
        seed = random_state.randint(2**31 - 1)
        if self.shrinkage != "auto":
            share = 1.0 - self.shrinkage
        elif validation is not None:
            self._fit_maps(samples, check_random_state(seed))
            share = self._choose_share(validation)
        else:
            # What maps are worth to new rows, maps of some rows show on the others.
            train, held_out = hold_out(samples, _VALIDATION_FRACTION, seed)
            self._fit_maps(train, check_random_state(seed))
            share = self._choose_share(held_out)
        if validation is None or self.shrinkage != "auto":
            self._fit_maps(samples, check_random_state(seed))
        self.step_ = float(share * self.learning_rate)
        self._set_step(self.step_)

    def _choose_share(self, validation: Samples) -> float:
        """Give the share of the way that brings held-out rows closest."""
        losses = []
        for share in _STEPS:
            self._set_step(share * self.learning_rate)
            mapped = [self._forward(X, k)[0] for k, X in enumerate(validation.rows)]
            losses.append(energy_coefficient(mapped, validation.weights))
        return _STEPS[int(np.argmin(losses))]
