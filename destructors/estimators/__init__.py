"""What densities are for: outliers, classes, targets, mixed tables, missing values."""

from destructors.estimators._classifier import DensityClassifier
from destructors.estimators._conditional_density import ConditionalDensity
from destructors.estimators._conditional_sampler import ConditionalSampler
from destructors.estimators._conditioned import ConditionedDensity
from destructors.estimators._imputer import DensityImputer
from destructors.estimators._mixture_density import MixtureDensity
from destructors.estimators._outliers import OutlierDetector

__all__ = [
    "ConditionalDensity",
    "ConditionalSampler",
    "ConditionedDensity",
    "DensityClassifier",
    "DensityImputer",
    "MixtureDensity",
    "OutlierDetector",
]
