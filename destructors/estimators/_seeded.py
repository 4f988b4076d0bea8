"""Clones of what an estimator is given, with a seed where they have none."""

from typing import Any

from sklearn.base import clone


def clone_seeded(estimator: Any, seed: int) -> Any:
    """Return a clone; its ``random_state`` is the seed if it was None."""
    copy = clone(estimator)
    if copy.get_params().get("random_state", 0) is None:
        copy.set_params(random_state=seed)
    return copy
