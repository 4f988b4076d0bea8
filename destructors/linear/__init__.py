"""Linear maps: whitening, rotations, location and scale."""

from destructors.linear._fixed_rotation import FixedRotation
from destructors.linear._ica_whitening import ICAWhitening
from destructors.linear._rotation import PCARotation, RandomRotation
from destructors.linear._standardize import Standardize
from destructors.linear._whitening import Whitening

__all__ = [
    "FixedRotation",
    "ICAWhitening",
    "PCARotation",
    "RandomRotation",
    "Standardize",
    "Whitening",
]
