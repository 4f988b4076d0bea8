"""Splines along directions: what moves, and how far."""

import numpy as np
import pytest

from destructors.compose import SlicedGaussianizer
from destructors.linear import Whitening
from destructors.maps import Affine, Along, QuadraticSpline


@pytest.fixture(scope="module")
def two_lines():
    """Two modes along the diagonal of two columns, and two normal columns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4))
    modes = rng.choice([-1.0, 1.0], 2000) + 0.2 * rng.normal(size=2000)
    across = X[:, 0] - X[:, 1]
    X[:, 0], X[:, 1] = modes + 0.5 * across, modes - 0.5 * across
    return Whitening().fit_transform(X)


def test_across_the_directions_nothing_changes(two_lines):
    model = SlicedGaussianizer(1, random_state=0).fit(two_lines)
    moved = model.transform(two_lines) - two_lines
    W = model.directions_
    np.testing.assert_allclose(moved, moved @ W @ W.T, atol=1e-12)
    assert np.abs(moved).max() > 0.1


def test_the_learning_rate_is_the_share_of_the_way(two_lines):
    fit = lambda rate: SlicedGaussianizer(
        2, learning_rate=rate, random_state=0
    ).fit_transform(two_lines)
    whole, part = fit(1.0) - two_lines, fit(0.25) - two_lines
    np.testing.assert_allclose(part, 0.25 * whole, atol=1e-12)


def test_all_the_way_two_modes_become_normal(two_lines):
    model = SlicedGaussianizer(1, learning_rate=1.0, max_iter=30, random_state=0)
    Z = model.fit_transform(two_lines) @ model.directions_
    # Of a normal the fourth moment is 3; of two narrow modes it is 1.1.
    assert np.mean((two_lines @ model.directions_) ** 4) < 1.5
    assert np.mean(Z**4) == pytest.approx(3.0, abs=0.3)
    # Two modes 2 apart of width 0.2 have log(0.2) + log(2) - log(sqrt(1.04)) nats
    # less entropy than a normal of their variance.
    gain = model.score(two_lines) - Whitening().fit(two_lines).score(two_lines)
    assert gain == pytest.approx(-np.log(0.4) + 0.5 * np.log(1.04), abs=0.05)


def test_a_share_of_a_spline_is_exact():
    spline = QuadraticSpline.of([[0.0, 1.0]], [[0.0, 1.5]], [[1.0, 2.0]])
    x = np.linspace(-2.0, 3.0, 11)[:, None]
    part = spline.towards_identity(0.3).forward(x)[0]
    np.testing.assert_allclose(part, x + 0.3 * (spline.forward(x)[0] - x), atol=1e-15)


def test_a_column_that_loses_its_own_digits_is_refused():
    rng = np.random.default_rng(0)
    X = np.c_[10.0 ** rng.uniform(-300.0, 300.0, 300), rng.normal(size=300)]
    with pytest.raises(ValueError, match="Column 0 loses its digits"):
        SlicedGaussianizer(1, learning_rate=1.0, random_state=0).fit(X)


def test_columns_that_come_back_as_anything_are_refused():
    """Smaller than the rounding of the others a column may be, but not larger."""
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], 300) * 10.0 ** rng.uniform(-300.0, 300.0, 300)
    X = np.c_[rng.normal(size=(300, 2)), x, 2.0 * x / 3.0]
    with pytest.raises(ValueError, match="loses its digits"):
        SlicedGaussianizer(1, learning_rate=1.0, random_state=0).fit(X)


def test_rows_far_along_the_only_direction_keep_their_digits():
    x = np.random.default_rng(0).standard_cauchy((300, 1)) ** 5
    layer = SlicedGaussianizer(1, learning_rate=1.0, random_state=0).fit(x)
    far = 1e5 * x.std() * np.array([[-1.0], [1.0]])
    back = layer.inverse_transform(layer.transform(far))
    np.testing.assert_allclose(back, far, rtol=1e-9)


def test_what_lies_across_is_not_rounded_as_a_far_row_is():
    # The rows are 1e12 long, and next to the direction.
    w = np.array([[np.cos(1e-3)], [np.sin(1e-3)]])
    map_ = Along(w, Affine(np.zeros(1), np.array([1e8])))
    X = np.array([[1e12, 0.3], [-1e12, 5.0]])
    back, _ = map_.inverse(map_.forward(X)[0])
    np.testing.assert_allclose(back[:, 1], X[:, 1], rtol=0.0, atol=1e-3)
