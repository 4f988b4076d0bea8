"""scikit-learn's own checks, on every public destructor."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.registry import REGISTRY, entry_of


# Some checks fit fewer rows than features.
@pytest.mark.filterwarnings("ignore:Features are linear combinations:UserWarning")
@parametrize_with_checks(
    [entry.destructor for entry in REGISTRY.values()],
    expected_failed_checks=lambda destructor: entry_of(destructor).sklearn_failures,
    xfail_strict=True,
)
def test_sklearn(estimator, check):
    check(estimator)
