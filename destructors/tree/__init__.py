"""Density trees, one and many."""

from destructors.tree._boosted import BoostedTreeDestructor
from destructors.tree._tree import TreeDestructor

__all__ = ["BoostedTreeDestructor", "TreeDestructor"]
