"""FixedRotation: the matrix that is given, and no other."""

import numpy as np
import pytest
from scipy.linalg import hadamard

from destructors.linear import FixedRotation
from destructors.testing import check_destructor

HADAMARD = hadamard(4) / 2.0


def test_map_is_the_matrix():
    X = np.random.default_rng(0).normal(size=(50, 4))
    Z, log_det = FixedRotation(HADAMARD).fit(X).transform_and_log_det(X)
    np.testing.assert_allclose(Z, X @ HADAMARD.T, atol=1e-14)
    np.testing.assert_array_equal(log_det, 0.0)


def test_law():
    rng = np.random.default_rng(0)
    angle = 0.4
    rotation = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    X = rng.normal(size=(900, 2)) * [1.0, 2.0]
    results = check_destructor(FixedRotation(rotation), X=X, max_normal_loss=1e-10)
    assert {result["status"] for result in results} == {"passed"}


@pytest.mark.parametrize(
    ("rotation", "message"),
    [
        ([[1.0, 0.0], [0.1, 1.0]], "rotation is not orthogonal: .* 0.1"),
        (2.0 * np.eye(2), "rotation is not orthogonal"),
        (np.eye(3), r"must have shape \(2, 2\), as X has 2 feature"),
        (np.ones((2, 1)), r"must have shape \(2, 2\)"),
        ([[np.nan, 0.0], [0.0, 1.0]], "Input rotation contains NaN"),
        ("identity", "'rotation' parameter of FixedRotation"),
    ],
)
def test_bad_matrices(rotation, message, X):
    with pytest.raises(ValueError, match=message):
        FixedRotation(rotation).fit(X)
