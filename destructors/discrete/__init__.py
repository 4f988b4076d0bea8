"""Discrete data: permutations of categories, and distributions of codes."""

from destructors.discrete._base import CategoricalBase
from destructors.discrete._tree_permutation import TreePermutation

__all__ = ["CategoricalBase", "TreePermutation"]
