"""The base distributions against scipy and by counting."""

import itertools

import numpy as np
import pytest
from scipy import stats

from destructors.base_distributions import (
    IndependentCategorical,
    StandardNormal,
    Uniform,
)


@pytest.fixture
def rng():
    return np.random.RandomState(0)


def test_normal_density_is_that_of_scipy(rng):
    Z = rng.standard_normal((50, 3)) * [1.0, 5.0, 20.0]
    expected = stats.norm.logpdf(Z).sum(axis=1)
    np.testing.assert_allclose(StandardNormal(3).logpdf(Z), expected, rtol=1e-13)


@pytest.mark.parametrize("far", [1e10, 1e150, 1e200, np.finfo(float).max])
def test_normal_log_density_is_finite_wherever_float64_is(far):
    log_density = StandardNormal(2).logpdf(np.array([[far, -far], [0.0, 1e8]]))
    assert np.isfinite(log_density).all()
    assert log_density[0] < log_density[1]


def test_normal_distribution_function_is_that_of_scipy(rng):
    Z = rng.standard_normal((50, 3))
    np.testing.assert_allclose(StandardNormal(3).cdf(Z), stats.norm.cdf(Z))


@pytest.mark.parametrize(
    ("base", "marginal"), [(StandardNormal(3), stats.norm), (Uniform(3), stats.uniform)]
)
def test_samples_follow_the_marginals(base, marginal, rng):
    Z = base.sample(5000, rng)
    assert Z.shape == (5000, 3)
    for column in Z.T:
        assert stats.kstest(column, marginal.cdf).pvalue > 1e-6
    assert np.abs(np.corrcoef(Z.T) - np.eye(3)).max() < 0.08


def test_uniform_density_is_one_in_the_closed_cube_and_zero_outside():
    Z = np.array([[0.0, 1.0], [0.3, 0.7], [-1e-9, 0.5], [0.5, 1.0 + 1e-9]])
    np.testing.assert_array_equal(Uniform(2).logpdf(Z), [0.0, 0.0, -np.inf, -np.inf])


def test_uniform_distribution_function_is_the_clipped_identity():
    Z = np.array([[-0.5, 0.25, 1.5]])
    np.testing.assert_array_equal(Uniform(3).cdf(Z), [[0.0, 0.25, 1.0]])


def test_categorical_probabilities_sum_to_one():
    base = IndependentCategorical([[0.5, 0.3, 0.2], [0.25, 0.75]])
    table = np.array(list(itertools.product(range(3), range(2))))
    probability = np.exp(base.logpdf(table))
    assert probability.sum() == pytest.approx(1.0, rel=1e-14)
    assert probability[1] == pytest.approx(0.5 * 0.75)


@pytest.mark.parametrize("row", [[3, 0], [-1, 0], [0, 2], [0.5, 0], [1e300, 0]])
def test_what_is_no_code_has_probability_zero(row):
    base = IndependentCategorical([[0.5, 0.3, 0.2], [0.25, 0.75]])
    assert base.logpdf(np.array([row], dtype=float)) == -np.inf


def test_categorical_samples_have_the_probabilities(rng):
    base = IndependentCategorical([[0.5, 0.3, 0.2], [0.25, 0.75]])
    Z = base.sample(4000, rng)
    assert Z.shape == (4000, 2)
    assert Z.dtype.kind == "i"
    for column, p in zip(Z.T, base.probabilities, strict=True):
        assert stats.chisquare(np.bincount(column), 4000 * p).pvalue > 1e-6


def test_categorical_fit_adds_alpha_to_weighted_counts():
    X = np.array([[0, 1], [2, 1], [2, 0]])
    base = IndependentCategorical.fit(X, [3, 2], sample_weight=[1.0, 2.0, 1.0])
    np.testing.assert_allclose(base.probabilities[0], np.array([2, 1, 4]) / 7)
    np.testing.assert_allclose(base.probabilities[1], np.array([2, 4]) / 6)
    rough = IndependentCategorical.fit(X, [3, 2], alpha=0.5)
    np.testing.assert_allclose(rough.probabilities[0], np.array([1.5, 0.5, 2.5]) / 4.5)


def test_categorical_weights_equal_repeated_rows():
    X, weight = np.array([[0, 1], [2, 1], [2, 0]]), [3, 0, 2]
    weighted = IndependentCategorical.fit(X, [3, 2], sample_weight=weight)
    repeated = IndependentCategorical.fit(np.repeat(X, weight, axis=0), [3, 2])
    for p, q in zip(weighted.probabilities, repeated.probabilities, strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("probabilities", [[[0.5, 0.6]], [[1.0, 0.0]], [[1.5, -0.5]]])
def test_probabilities_are_positive_and_sum_to_one(probabilities):
    with pytest.raises(ValueError, match=r"probabilities\[0\] must be positive"):
        IndependentCategorical(probabilities)


def test_alpha_is_positive():
    with pytest.raises(ValueError, match="alpha must be positive, got 0"):
        IndependentCategorical.fit(np.zeros((3, 1)), [2], alpha=0)


def test_representations_say_what_matters():
    assert repr(StandardNormal(3)) == "StandardNormal(n_features=3)"
    assert repr(Uniform(3)) == "Uniform(n_features=3)"
    categorical = IndependentCategorical([[0.5, 0.5], [1.0]])
    assert repr(categorical) == "IndependentCategorical(n_categories=[2, 1])"
