"""Base of the layers: a map to the barycenter, of which a share is gone."""

from abc import abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import ClassVar, Literal

import numpy as np
from sklearn.utils import check_random_state

from destructors._compat import Interval, StrOptions
from destructors.alignment._base import DomainDestructor
from destructors.alignment._domains import by_domain, divergence, split_domains
from destructors.maps import Map
from destructors.rows import Fold, Rows

# Shares of the way that are compared on held-out rows.
_RATES = (1.0, 0.75, 0.5, 0.25, 0.0)
_VALIDATION_FRACTION = 0.2


class BarycenterDestructor(DomainDestructor):
    """Base of the layers: a subclass implements `_fit_barycenter`."""

    _parameter_constraints: ClassVar[dict] = {
        **DomainDestructor._parameter_constraints,
        "learning_rate": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    learning_rate: float | Literal["auto"]
    learning_rate_: float

    @abstractmethod
    def _fit_barycenter(
        self, parts: list[Rows], random_state: np.random.RandomState
    ) -> Callable[[float], Map]:
        """Fit to the rows of each domain.

        Returns
        -------
        at : callable
            Takes the share of the way to the barycenter to go, and returns that map.
        """

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        seed = random_state.randint(2**31 - 1)
        fit = lambda rows: self._fit_barycenter(
            by_domain(rows), check_random_state(seed)
        )
        rate = self.learning_rate
        if rate == "auto" and fold.validation is None:
            # What maps are worth to new rows, maps of some rows show on the others.
            [part] = split_domains(fold.train, None, _VALIDATION_FRACTION, seed)
            rate = _best_rate(fit(part.train), part.validation)
        at = fit(fold.train)
        if rate == "auto":
            rate = _best_rate(at, fold.validation)
        self.learning_rate_ = float(rate)
        return at(self.learning_rate_)

    def _refit_params(self, fitted: "list[BarycenterDestructor]") -> dict[str, float]:
        # Without held-out rows a layer goes as far as it did with them.
        if self.learning_rate != "auto":
            return {}
        return {"learning_rate": float(np.mean([x.learning_rate_ for x in fitted]))}


def _best_rate(at: Callable[[float], Map], validation: Rows | None) -> float:
    """Return the share of the way that brings held-out rows closest."""
    assert validation is not None
    losses = [divergence(validation.through(at(rate))) for rate in _RATES]
    return _RATES[int(np.argmin(losses))]
