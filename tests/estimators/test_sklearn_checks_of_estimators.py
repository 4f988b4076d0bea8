"""scikit-learn's own checks, those of outlier detectors and classifiers among them."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from destructors.estimators import DensityClassifier, OutlierDetector
from destructors.linear import Whitening
from destructors.mixture import GaussianMixtureDestructor

ESTIMATORS = [
    OutlierDetector(Whitening()),
    DensityClassifier(GaussianMixtureDestructor(1, background=False)),
]


# Some checks fit fewer rows than features.
@pytest.mark.filterwarnings("ignore:Features are linear combinations:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_sklearn(estimator, check):
    check(estimator)
