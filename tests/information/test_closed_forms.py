"""Quantities of distributions whose values are known."""

import numpy as np
import pytest

from destructors.information import (
    conditional_mutual_information,
    entropy,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
    mutual_information,
    negentropy,
    total_correlation,
)
from destructors.information._estimate import extrapolate
from destructors.linear import Whitening
from destructors.tree import BoostedTreeDestructor

GAUSSIAN = Whitening(shrinkage=0.0)


def draw(covariance, n_samples=2000, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(n_samples, len(covariance))) @ np.linalg.cholesky(covariance).T
    )


def equally_correlated(n_features, correlation):
    full = np.full((n_features, n_features), correlation)
    return full + (1.0 - correlation) * np.eye(n_features)


def log_det(covariance):
    return np.linalg.slogdet(covariance)[1]


def assert_close(estimate, truth, within=0.12):
    assert abs(estimate.value - truth) <= 3.0 * estimate.standard_error
    assert estimate.standard_error < within


@pytest.mark.parametrize("n_features", [1, 3, 10])
def test_entropy_of_a_gaussian(n_features):
    covariance = equally_correlated(n_features, 0.6)
    truth = 0.5 * (n_features * np.log(2.0 * np.pi * np.e) + log_det(covariance))
    assert_close(entropy(draw(covariance), estimator=GAUSSIAN, random_state=0), truth)


@pytest.mark.parametrize("n_features", [2, 10])
def test_total_correlation_of_a_gaussian(n_features):
    covariance = equally_correlated(n_features, 0.6)
    estimate = total_correlation(draw(covariance), estimator=GAUSSIAN, random_state=0)
    assert_close(estimate, -0.5 * log_det(covariance))


@pytest.mark.parametrize("n_features", [1, 5, 10])
def test_mutual_information_of_gaussian_blocks(n_features):
    covariance = np.kron(equally_correlated(2, 0.3), np.eye(n_features))
    X = draw(covariance, 5000)
    estimate = mutual_information(
        X[:, :n_features], X[:, n_features:], estimator=GAUSSIAN, random_state=0
    )
    assert_close(estimate, -0.5 * n_features * np.log1p(-0.09), 0.03)


def test_the_default_estimator_on_gaussian_blocks_and_on_curves():
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    y = 0.8 * x + 0.6 * rng.normal(size=600)
    truth = -np.log(0.6)
    estimate = mutual_information(x, y, random_state=0)
    assert_close(estimate, truth)
    # Uncorrelated, and far from independent.
    angle = rng.uniform(0.0, 2.0 * np.pi, 600)
    assert mutual_information(np.cos(angle), np.sin(angle), random_state=0).value > 0.5


def test_conditional_mutual_information_sees_a_common_cause():
    x, y, z = draw(np.eye(3)).T
    x, y = x + z, y + z
    assert_close(
        conditional_mutual_information(x, y, z, estimator=GAUSSIAN, random_state=0), 0.0
    )
    # Of x beyond z, half of the square is the square of its own noise.
    estimate = conditional_mutual_information(
        x, y + 0.5 * x, z, estimator=GAUSSIAN, random_state=0
    )
    assert_close(estimate, 0.5 * np.log(1.25))
    both = mutual_information(x, y, estimator=GAUSSIAN, random_state=0)
    assert_close(both, -0.5 * np.log(0.75))


def test_negentropy_of_a_gaussian_is_zero_and_of_a_uniform_is_known():
    rng = np.random.default_rng(0)
    normal = negentropy(rng.normal(size=(1000, 1)), random_state=0)
    assert abs(normal.value) < 0.01
    truth = 0.5 * np.log(2.0 * np.pi * np.e / 12.0)
    uniform = negentropy(rng.uniform(size=(1000, 1)), random_state=0)
    assert abs(uniform.value - truth) < 0.03


@pytest.mark.parametrize("n_features", [1, 4])
def test_kullback_leibler_of_gaussians(n_features):
    X = 0.3 + 0.9 * draw(np.eye(n_features), 3000)
    Y = draw(np.eye(n_features), 2000, seed=1)
    truth = n_features * (0.5 * (0.81 + 0.09 - 1.0) - np.log(0.9))
    estimate = kullback_leibler_divergence(X, Y, estimator=GAUSSIAN, random_state=0)
    assert_close(estimate, truth)
    assert estimate.n_samples == 5000


@pytest.mark.parametrize("shift", [0.0, 1.0, 20.0])
def test_jensen_shannon_of_gaussians(shift):
    X, Y = draw(np.eye(1)), shift + draw(np.eye(1), seed=1)
    grid = np.linspace(-10.0, 30.0, 100_001)
    p, q = (np.exp(-0.5 * (grid - m) ** 2) / np.sqrt(2 * np.pi) for m in (0.0, shift))
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.nan_to_num(one * np.log(2.0 * one / (p + q))) for one in (p, q)]
    truth = 0.5 * np.sum(parts) * (grid[1] - grid[0])
    estimate = jensen_shannon_divergence(X, Y, estimator=GAUSSIAN, random_state=0)
    assert abs(estimate.value - truth) < 0.02
    other = jensen_shannon_divergence(Y, X, estimator=GAUSSIAN, random_state=0)
    assert abs(estimate.value - other.value) < 0.01


def test_errors_are_within_two_standard_errors():
    hits = []
    for seed in range(30):
        X = draw(equally_correlated(6, 0.2), 400, seed)
        estimate = mutual_information(
            X[:, :3], X[:, 3:], estimator=GAUSSIAN, random_state=seed
        )
        blocks = 2.0 * log_det(equally_correlated(3, 0.2))
        truth = 0.5 * (blocks - log_det(equally_correlated(6, 0.2)))
        hits.append(abs(estimate.value - truth) <= 2.0 * estimate.standard_error)
    assert sum(hits) >= 25, "fewer than 25 of 30 have chance 1 % at a rate of 95 %"


def test_the_correction_takes_away_what_finite_rows_cost():
    errors = []
    for seed in range(10):
        X = draw(np.eye(10), 500, seed)
        estimate = mutual_information(
            X[:, :5], X[:, 5:], estimator=GAUSSIAN, random_state=seed
        )
        errors.append((estimate.value, estimate.held_out_value))
    corrected, held_out = np.mean(errors, axis=0)
    # 25 free covariances lose 25 / 2m nats on m = 400 rows.
    assert held_out == pytest.approx(-25.0 / 800.0, abs=0.01)
    assert abs(corrected) < 0.02


def test_extrapolation_is_exact_where_losses_fall_with_the_number_of_rows():
    truth, loss = 1.0, 0.3
    many = [np.full(10, truth - loss / 0.8)]
    halves = [np.full(10, truth - loss / 0.5)]
    estimate = extrapolate(many, halves, n_folds=5)
    assert estimate.value == pytest.approx(truth)
    assert estimate.standard_error == pytest.approx(loss / 0.8)


def test_discrete_columns_are_spread():
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=1000)
    y = np.where(rng.uniform(size=1000) < 0.1, 1 - x, x)
    error = np.array([0.1, 0.9])
    truth = np.log(2.0) + error @ np.log(error)
    trees = BoostedTreeDestructor(random_state=0)
    estimate = mutual_information(x, y, estimator=trees, random_state=0)
    assert_close(estimate, truth)
