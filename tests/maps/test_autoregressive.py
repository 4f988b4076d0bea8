"""Shifts and scales of a feature by functions of those before it."""

import numpy as np
import pytest

from destructors.maps._autoregressive import Autoregressive, Linear


@pytest.fixture
def map_():
    """The third feature from the second, and the first from both; the second alone."""
    return Autoregressive(
        np.array([1, 2, 0]),
        (Linear(np.array([1.0, 0.5]), 0.1), None, Linear(np.array([-2.0]), 1.0)),
        (Linear(np.array([0.3, -0.2]), 0.0), None, None),
        np.array([0.5, 1.0, 2.0]),
    )


def test_formula(map_):
    # Numbers that single precision has.
    X = np.array([[1.0, 2.0, 3.0], [0.5, -0.25, 8.0]])
    Z, log_det = map_.forward(X)
    raw = 0.3 * X[:, 1] - 0.2 * X[:, 2]
    log_s = np.log(20.0) * np.tanh(raw / np.log(20.0)) + np.log(0.5)
    np.testing.assert_array_equal(Z[:, 1], X[:, 1])
    np.testing.assert_allclose(Z[:, 2], (X[:, 2] + 2.0 * X[:, 1] - 1.0) / 2.0)
    mean = X[:, 1] + 0.5 * X[:, 2] + 0.1
    np.testing.assert_allclose(Z[:, 0], (X[:, 0] - mean) / np.exp(log_s))
    np.testing.assert_allclose(log_det, -log_s - np.log(2.0))


def test_inverse_undoes_the_map(map_):
    X = np.random.default_rng(0).normal(size=(200, 3))
    Z, log_det = map_.forward(X)
    back, log_det_back = map_.inverse(Z)
    np.testing.assert_allclose(back, X, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-12)


def test_log_det_is_that_of_the_jacobian():
    # What is seen in single precision has no slope at small steps: a shift has none
    # anyway, and a constant scale shows in its own feature.
    constant = Autoregressive(
        np.array([0, 1]),
        (None, Linear(np.array([3.0]), 0.0)),
        (None, None),
        np.array([1.0, 0.25]),
    )
    row = np.array([[0.3, -0.7]])
    step = 1e-6
    slopes = [
        (constant.forward(row + e)[0] - constant.forward(row - e)[0])[0, j] / (2 * step)
        for j, e in enumerate(step * np.eye(2))
    ]
    assert np.log(slopes).sum() == pytest.approx(constant.forward(row)[1][0], abs=1e-8)


def test_last_bits_of_a_feature_do_not_move_those_behind(map_):
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32).astype(float)
    near = X * (1.0 + 1e-12)
    shift = map_.forward(near)[0][:, 2] - map_.forward(X)[0][:, 2]
    np.testing.assert_allclose(shift, 0.5 * (near - X)[:, 2], atol=1e-15)


def test_rows_far_out_stay_finite(map_):
    X = np.array([[1e300, -1e300, 1e200]])
    for way in (map_.forward, map_.inverse):
        found, log_det = way(X)
        assert np.isfinite(found).all()
        assert np.isfinite(log_det).all()
