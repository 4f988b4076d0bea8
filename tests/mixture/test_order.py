"""The order in which features of a mixture are mapped."""

from itertools import permutations

import numpy as np
import pytest

from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._order import choose_order


def make_covariances(n, d, seed=0):
    roots = np.random.default_rng(seed).normal(size=(n, d, d))
    return roots @ roots.transpose(0, 2, 1)


def choose_by_inverses(weights, covariances):
    """Return the order by the definition: an inverse for each set that is left."""
    left, order = list(range(covariances.shape[1])), []
    while left:
        precisions = np.linalg.inv(covariances[:, left][:, :, left])
        log_variance = -weights @ np.log(np.diagonal(precisions, axis1=1, axis2=2))
        order.append(left.pop(int(np.argmax(log_variance))))
    return order[::-1]


@pytest.mark.parametrize("n", [1, 5])
def test_the_least_determined_come_last(n):
    for seed in range(20):
        covariances = make_covariances(n, 7, seed)
        weights = np.random.default_rng(seed).dirichlet(np.ones(n))
        order = choose_order(weights, covariances)
        assert order.tolist() == choose_by_inverses(weights, covariances)


def test_it_is_one_order_wherever_features_stand():
    weights, covariances = np.array([0.2, 0.3, 0.5]), make_covariances(3, 4)
    order = choose_order(weights, covariances)
    for places in map(np.array, permutations(range(4))):
        moved = covariances[:, places[:, None], places]
        np.testing.assert_array_equal(places[choose_order(weights, moved)], order)


def test_features_that_are_alike_stay_as_they_come():
    rounding = 1.0 + 1e-12 * np.random.default_rng(0).normal(size=5)
    covariances = np.diag(rounding)[None]
    np.testing.assert_array_equal(choose_order(np.ones(1), covariances), np.arange(5))


def test_nearly_singular_covariances_have_an_order():
    root = np.random.default_rng(0).normal(size=(6, 2))
    covariances = (root @ root.T + 1e-14 * np.eye(6))[None]
    order = choose_order(np.ones(1), covariances)
    assert sorted(order) == list(range(6))


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_density_does_not_depend_on_the_order(covariance_type):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1000))
    X = np.c_[y, x, x**2 + 0.05 * rng.normal(size=1000), rng.gamma(2.0, size=1000)]
    by_order = [
        GaussianMixtureDestructor(
            4, covariance_type=covariance_type, order=order, random_state=0
        ).fit(X)
        for order in ("auto", None)
    ]
    auto, given = (model.score_samples(X) for model in by_order)
    # But for the tilt.
    np.testing.assert_allclose(auto, given, atol=1e-4)
    assert auto.mean() == pytest.approx(given.mean(), abs=1e-6)
    assert by_order[1].map_[1].order is None


def test_a_curve_of_two_features_comes_first():
    """Not the feature beside them, whatever the units and the place of the columns."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2000))
    X = np.c_[y, x, x**2 + 0.05 * rng.normal(size=2000)]
    for places in map(list, permutations(range(3))):
        moved = 1.0 + X[:, places] * [1e-3, 1.0, 1e3]
        model = GaussianMixtureDestructor(16, random_state=0).fit(moved)
        order = model.map_[1].order
        last = 2 if order is None else order[-1]
        assert places[last] == 0
