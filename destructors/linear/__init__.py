"""Linear maps: whitening, rotations, location and scale."""

from destructors.linear._rotation import (
    FixedRotation,
    ICAWhitening,
    PCARotation,
    RandomRotation,
)
from destructors.linear._sliced import SlicedRotation
from destructors.linear._whitening import Standardize, Whitening

__all__ = [
    "FixedRotation",
    "ICAWhitening",
    "PCARotation",
    "RandomRotation",
    "SlicedRotation",
    "Standardize",
    "Whitening",
]
