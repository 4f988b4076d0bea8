"""What is the same but for rounding is not chosen from by rounding."""

import numpy as np
import pytest

from destructors.mixture import BoostedMixtureDestructor, GaussianMixtureDestructor
from destructors.mixture._boosting import N_BINS, choose_edges
from destructors.mixture._covariance import Full
from destructors.mixture._expectation import Mixture
from destructors.mixture._split import split
from destructors.mixture._twins import join_twins
from destructors.rows import Rows


def features(rows):
    """Rows as the moments of components see them."""
    return np.c_[np.ones(len(rows)), rows, rows[:, :1] ** 2]


def test_components_of_the_same_rows_are_joined():
    rows = np.random.default_rng(0).normal(size=(4, 2))
    share = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0.5, 0, 0, 0], [0, 0, 0, 1.0]])
    moments = share @ features(rows)
    moments[2] *= 1.0 + 1e-12
    joined, alive = join_twins(moments, np.ones(3, bool))
    np.testing.assert_array_equal(alive, [True, True, False])
    np.testing.assert_allclose(joined[0], 1.5 * features(rows)[0])
    np.testing.assert_array_equal(joined[[1, 3]], moments[[1, 3]])
    # Three of a kind, and what is not to be looked at.
    moments = np.repeat(features(rows[:1]), 4, axis=0)
    joined, alive = join_twins(moments, np.array([True, True, True, False]))
    np.testing.assert_array_equal(alive, [True, False, False, False])
    np.testing.assert_array_equal(joined[0], 3.0 * moments[0])


def test_components_of_one_mean_and_another_spread_stay():
    near, far = np.array([[1.0], [-1.0]]), np.array([[2.0], [-2.0]])
    moments = np.stack([features(pair).sum(axis=0) for pair in (near, far)])
    assert join_twins(moments, np.ones(2, bool))[1].all()


def test_halves_of_one_row_are_one_component():
    # One row outweighs all others: halves of it are all that is to be split.
    X = np.random.default_rng(0).normal(size=(12, 2))
    weight = np.r_[30.0, np.ones(11)]
    model = GaussianMixtureDestructor(10, random_state=0).fit(X, sample_weight=weight)
    one = GaussianMixtureDestructor(1, random_state=0).fit(X, sample_weight=weight)
    assert model.n_components_ == 1
    assert abs(model.score(X) - one.score(X)) < 0.01


def test_neither_digits_nor_places_choose_which_of_equal_weight_is_split():
    type_ = Full(Rows.of(np.zeros((1, 2))))
    weights = np.array([0.25, 0.25, 0.25 - 1e-15, 0.25 + 1e-15])
    means = np.random.default_rng(0).normal(size=(4, 2))
    covariances = np.diag([2.0, 1.0]) * np.ones((4, 1, 1))
    split_at = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        given = Mixture(weights, means[order], covariances)
        found = split(given, 2, type_, False, None)
        split_at.append(np.sort(np.array(order)[found.weights[:4] < 0.2]))
    assert all((place == split_at[0]).all() for place in split_at)
    # What weighs more comes first in any case.
    given = Mixture(np.array([0.1, 0.3, 0.2, 0.4]), means, covariances)
    found = split(given, 2, type_, False, None)
    np.testing.assert_allclose(found.weights, [0.1, 0.15, 0.2, 0.2, 0.15, 0.2])


def test_the_one_value_of_a_column_lies_on_no_edge():
    X = np.c_[np.random.default_rng(0).normal(size=100), np.full(100, 0.1)]
    edges = choose_edges(X, np.ones(100))
    assert edges.shape == (2, N_BINS - 1)
    assert (edges[1] < 0.0).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_constant_column_is_boosted_by_no_tree(seed):
    rng = np.random.default_rng(seed)
    X = np.c_[rng.integers(0, 2, 600), np.full(600, 0.1), rng.normal(size=600)]
    model = BoostedMixtureDestructor(4, random_state=0).fit(X)
    assert model.n_trees_[1] == 0
