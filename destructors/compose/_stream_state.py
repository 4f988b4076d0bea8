"""Where a chain that learns from a stream is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Map
from destructors.rows import Rows, RunningStatistics

# Standard errors by which a gain is taken for larger than it was.
_CERTAIN = 2.0


@dataclass(frozen=True, eq=False)
class StreamState:
    """Where a stream is. Sums fade by the half-life.

    Parameters
    ----------
    seed : int
        Of all steps.
    waiting : tuple of Rows
        Those that do not fill a block yet.
    n_seen : int
        Rows that are learned.
    weight : float
        Sum of their weights.
    due : float
        The sum of weights at which the steps are fitted again.
    statistics : tuple of RunningStatistics or None
        Of the rows before each step; None where it has settled.
    n_settled : int
        Number of steps that have settled: the first ones.
    before : tuple of Map
        The maps of the steps before their last fit, until they are compared.
    scores, mass : ndarray of shape (n_steps + 1,) and float
        Sums of the log densities of rows before they were learned, after so many steps,
        and of their weights.
    prequential : tuple of (float, float)
        The same of the model that was in use.
    """

    seed: int
    waiting: tuple[Rows, ...] = ()
    n_seen: int = 0
    weight: float = 0.0
    due: float = 0.0
    statistics: tuple[RunningStatistics | None, ...] = ()
    n_settled: int = 0
    before: tuple[Map, ...] = ()
    scores: NDArray | float = 0.0
    mass: float = 0.0
    prequential: tuple[float, float] = (0.0, 0.0)


def join_rows(parts: list[Rows]) -> Rows:
    """Return rows one after the other."""
    weight = None
    if any(part.weight is not None for part in parts):
        weight = np.concatenate([part.weights for part in parts])
    values = np.concatenate([part.values for part in parts])
    return replace(Rows.of(values, weight), n_jobs=parts[-1].n_jobs)


def largest_gain(old: Rows, new: Rows, base: Any) -> float:
    """Return how many nats a row gains at most, up to chance."""
    gain = base.logpdf(new.values) + new.log_det - base.logpdf(old.values) - old.log_det
    share = new.weights / new.total
    mean = float(share @ gain)
    variance = float(share @ (gain - mean) ** 2)
    return mean + _CERTAIN * float(np.sqrt(variance * (share @ share)))
