"""What densities are for: outliers, classes, mixed tables and what is missing."""

from destructors.estimators._classifier import DensityClassifier
from destructors.estimators._imputer import DensityImputer
from destructors.estimators._mixture_density import MixtureDensity
from destructors.estimators._outliers import OutlierDetector

__all__ = ["DensityClassifier", "DensityImputer", "MixtureDensity", "OutlierDetector"]
