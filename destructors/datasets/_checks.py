"""What the arguments of generated densities have to be."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

__all__ = ["Seed", "at_least", "positive", "seeded"]

Seed = int | np.random.RandomState | None


def seeded(n_samples: int, random_state: Seed) -> np.random.RandomState:
    """Return the source of randomness, after a check of the number of rows."""
    at_least("n_samples", n_samples, 1)
    return check_random_state(random_state)


def at_least(name: str, value: int, least: int) -> int:
    """Return a number, after a check that it is an integer and not too small."""
    if value != int(value) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value}.")
    return int(value)


def positive(name: str, value: float) -> float:
    """Return a number, after a check that it is positive."""
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}.")
    return float(value)
