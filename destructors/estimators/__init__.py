"""Estimators of other kinds, made of densities."""

from destructors.estimators._imputer import DensityImputer
from destructors.estimators._mixture_density import MixtureDensity

__all__ = ["DensityImputer", "MixtureDensity"]
