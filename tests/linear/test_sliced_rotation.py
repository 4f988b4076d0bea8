"""Directions that are farthest from normal."""

import numpy as np
import pytest
from scipy.special import ndtri

from destructors.linear import SlicedRotation


def rademacher(n, d, seed=0):
    """Normal columns but one, of signs."""
    X = np.random.default_rng(seed).normal(size=(n, d))
    X[:, 1] = np.sign(X[:, 1])
    return X


@pytest.mark.parametrize("criterion", ["wasserstein", "negentropy"])
def test_the_column_that_is_not_normal_is_found(criterion):
    X = rademacher(3000, 5)
    model = SlicedRotation(criterion=criterion, max_iter=50, random_state=0).fit(X)
    assert abs(model.directions_[1, 0]) > 0.98
    oblique, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    model.fit(X @ oblique.T)
    assert abs(model.directions_[:, 0] @ oblique[:, 1]) > 0.98


@pytest.mark.parametrize(("n_directions", "expected"), [(None, 8), (3, 3), (20, 10)])
def test_directions_come_first_and_the_rest_is_orthogonal(n_directions, expected):
    X = rademacher(200, 10)
    model = SlicedRotation(n_directions, random_state=0).fit(X)
    assert model.directions_.shape == (10, expected)
    Q = model.rotation_
    np.testing.assert_allclose(Q @ Q.T, np.eye(10), atol=1e-12)
    np.testing.assert_array_equal(Q[:expected], model.directions_.T)
    assert (np.diff(model.distances_) <= 0).all()
    assert model.n_iter_ <= 10


def test_distance_of_one_column_has_a_closed_form():
    n = 100_000
    signs = np.repeat([-1.0, 1.0], n // 2)[:, None]
    fit = lambda **params: SlicedRotation(max_samples=None, **params).fit(signs)
    # E (1 - |ν|)² for a standard normal ν, and E (log cosh 1 - E log cosh ν)².
    [found] = fit(random_state=0).distances_
    assert found == pytest.approx(2.0 - 2.0 * np.sqrt(2.0 / np.pi), abs=1e-6)
    [found] = fit(criterion="negentropy", random_state=0).distances_
    assert found == pytest.approx((np.log(np.cosh(1.0)) - 0.374567) ** 2, abs=1e-6)
    # Of rows that differ, |x - ν| to another power.
    x = 2.0 * ndtri((np.arange(2000) + 0.5) / 2000)[:, None]
    model = SlicedRotation(p=1, max_samples=None, random_state=0).fit(x)
    assert model.distances_[0] == pytest.approx(np.sqrt(2.0 / np.pi), rel=1e-2)


def test_few_rows_will_do_for_the_search():
    X = rademacher(20_000, 4)
    few = {"max_iter": 50, "max_samples": 500}
    model = SlicedRotation(**few, random_state=0).fit(X)
    assert abs(model.directions_[1, 0]) > 0.95
    other = SlicedRotation(**few, random_state=1).fit(X)
    assert abs(model.distances_[0] - other.distances_[0]) > 1e-4


def test_far_rows_and_large_units_are_finite():
    X = rademacher(100, 3) * 1e150
    X[0, 0] = 1e300
    for criterion in ("wasserstein", "negentropy"):
        model = SlicedRotation(criterion=criterion, p=4, random_state=0).fit(X)
        assert np.isfinite(model.distances_).all()
        assert np.isfinite(model.rotation_).all()


def test_rounding_errors_turn_nothing():
    """Normal rows leave the search next to no slope, and it goes everywhere."""
    rng = np.random.default_rng(0)
    for seed in range(10):
        X = rng.normal(size=(240, 3))
        model = SlicedRotation(max_iter=30, random_state=seed)
        before = model.fit(X).rotation_
        after = model.fit(X + 1e-10 * rng.normal(size=X.shape)).rotation_
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)
