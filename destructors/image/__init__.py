"""Layers that know where pixels are: groups of them, and coarse and fine scales."""

from destructors.image._feature_groups import FeatureGroups
from destructors.image._groupings import (
    Grouping,
    ImageFeaturePairs,
    ImagePatches,
    RandomFeaturePairs,
)
from destructors.image._pixel_mixture import PixelMixtureDestructor
from destructors.image._pixel_tree import PixelTreeDestructor
from destructors.image._pyramid import HaarPyramid

__all__ = [
    "FeatureGroups",
    "Grouping",
    "HaarPyramid",
    "ImageFeaturePairs",
    "ImagePatches",
    "PixelMixtureDestructor",
    "PixelTreeDestructor",
    "RandomFeaturePairs",
]
