"""What densities are for: estimators that find outliers, and that tell classes."""

from destructors.estimators._classifier import DensityClassifier
from destructors.estimators._outliers import OutlierDetector

__all__ = ["DensityClassifier", "OutlierDetector"]
