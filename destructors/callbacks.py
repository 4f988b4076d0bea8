"""Callbacks for `fit`: see ``set_callbacks`` of each destructor."""

from destructors.greedy import Checkpoint

__all__ = ["Checkpoint"]
