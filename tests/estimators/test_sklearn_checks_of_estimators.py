"""scikit-learn's own checks, of outlier detectors, classifiers and regressors."""

import pytest
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from destructors.estimators import (
    ConditionalDensity,
    DensityClassifier,
    OutlierDetector,
)
from destructors.linear import Whitening
from destructors.mixture import GaussianMixtureDestructor

ESTIMATORS = [
    OutlierDetector(Whitening()),
    DensityClassifier(GaussianMixtureDestructor(1, background=False)),
    ConditionalDensity(LinearRegression(), max_trees=3, n_folds=2),
]


# They call score_samples with X alone; it is the density of y given X.
NO_TARGETS = (
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
)


def expected_failures(estimator):
    if isinstance(estimator, ConditionalDensity):
        return dict.fromkeys(NO_TARGETS, "score_samples takes X and y")
    return {}


# Some checks fit fewer rows than features.
@pytest.mark.filterwarnings("ignore:Features are linear combinations:UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_sklearn(estimator, check):
    check(estimator)
