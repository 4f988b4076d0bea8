"""Distances between samples: closed forms, then what chance makes of them."""

import importlib.util
import sys

import numpy as np
import pytest
from sklearn import config_context

from destructors.metrics import (
    bits_per_dim,
    energy_coefficient,
    energy_distance,
    floor,
    maximum_mean_discrepancy,
    sliced_wasserstein_distance,
    transport_cost,
    wasserstein_distance,
)

DISTANCES = [
    wasserstein_distance,
    lambda X, Y: sliced_wasserstein_distance(X, Y, random_state=0),
    energy_distance,
    maximum_mean_discrepancy,
    lambda X, Y: energy_coefficient([X, Y]),
]
NAMES = ["wasserstein", "sliced", "energy", "mmd", "coefficient"]
each_distance = pytest.mark.parametrize("distance", DISTANCES, ids=NAMES)


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(200, 3))


@each_distance
def test_zero_for_equal_samples_and_symmetric(distance, rows):
    assert distance(rows, rows[::-1]) == pytest.approx(0.0, abs=1e-7)
    other = 2.0 * rows[::-1] + 1.0
    assert distance(rows, other) == pytest.approx(distance(other, rows))
    assert distance(rows, other) > 0.02


@each_distance
def test_grows_with_a_shift(distance, rows):
    moved = [distance(rows, rows + shift) for shift in (0.1, 0.5, 1.0, 2.0)]
    assert (np.diff(moved) > 0).all()


def test_wasserstein_of_a_shift_is_its_square(rows):
    moved = np.add(rows[::-1], [3, 4, 0])
    assert wasserstein_distance(rows, moved) == pytest.approx(25.0)


def test_wasserstein_on_a_line_sorts():
    x, y = np.random.default_rng(0).normal(size=(2, 100, 1))
    expected = ((np.sort(x, axis=0) - np.sort(y, axis=0)) ** 2).mean()
    assert wasserstein_distance(x, y) == pytest.approx(expected)
    assert sliced_wasserstein_distance(x, y, random_state=0) == pytest.approx(expected)


def test_wasserstein_of_unequal_sizes(rows, monkeypatch):
    if importlib.util.find_spec("ot") is not None:
        assert wasserstein_distance(rows, np.repeat(rows, 2, axis=0)) == pytest.approx(
            0.0, abs=1e-9
        )
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ImportError, match=r"200 rows and Y has 199: .* needs POT"):
        wasserstein_distance(rows, rows[1:])


def test_sliced_of_unequal_sizes_counts_shares(rows):
    twice = np.repeat(rows, 2, axis=0)
    other = rows[:150] + 1.0
    expected = sliced_wasserstein_distance(rows, other, random_state=0)
    assert sliced_wasserstein_distance(twice, other, random_state=0) == pytest.approx(
        expected
    )


def test_energy_of_two_points():
    assert energy_distance([[0.0], [2.0]], [[1.0]]) == pytest.approx(2.0 - 1.0)


def test_energy_coefficient_by_hand():
    """Within: 0, 1/2 (two points a unit apart, each pair of equals 0); mean 1/4."""
    samples = [np.array([[0.0]]), np.array([[3.0], [4.0]])]
    within = (0.0 + 0.5) / 2
    between = 3.5
    total = (0.0 + 0.5 + 2 * between) / 4
    assert energy_coefficient(samples, exponent=1.0) == pytest.approx(
        1 - within / total
    )


def test_energy_coefficient_has_no_unit_and_counts_weights(rows):
    samples = [rows, 1.5 * rows[:100] + 0.5]
    expected = energy_coefficient(samples)
    assert energy_coefficient([1e6 * X + 7.0 for X in samples]) == pytest.approx(
        expected, rel=1e-4
    )
    weight = np.arange(200) % 3 + 1.0
    repeated = [np.repeat(rows, weight.astype(int), axis=0), samples[1]]
    assert energy_coefficient(samples, [weight, None]) == pytest.approx(
        energy_coefficient(repeated)
    )
    assert energy_coefficient([np.ones((3, 2))] * 2) == 0.0


@each_distance
def test_blocks_of_rows_give_the_same(distance, rows):
    other = rows[:150] + 0.5 if distance is not DISTANCES[0] else rows + 0.5
    expected = distance(rows, other)
    with config_context(working_memory=0.01):
        assert distance(rows, other) == pytest.approx(expected, rel=1e-10)


def test_mmd_of_two_points():
    expected = 2 - 2 * np.exp(-0.5 * 9 / 4)
    assert maximum_mean_discrepancy([[0.0]], [[3.0]], bandwidth=2.0) == pytest.approx(
        expected
    )
    assert maximum_mean_discrepancy([[1.0]], [[1.0]]) == 0.0
    with pytest.raises(ValueError, match="bandwidth must be positive"):
        maximum_mean_discrepancy([[0.0]], [[3.0]], bandwidth=0.0)


def test_transport_cost_is_at_least_the_distance(rows):
    Z = rows[::-1] + 0.5
    assert transport_cost(rows, Z) > wasserstein_distance(rows, Z)
    assert transport_cost(rows, rows + 0.5) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        transport_cost(rows, Z[1:])


@each_distance
def test_floor_is_what_two_samples_of_one_distribution_show(distance):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    level = floor(distance, X, random_state=0)
    assert level == floor(distance, X, random_state=0)
    same, other = rng.normal(size=(2, 200, 3))
    assert 0.3 * level < distance(same, other) < 3.0 * level
    assert distance(same, other + 1.0) > 3.0 * level


def test_bad_input(rows):
    with pytest.raises(ValueError, match="X has 3 features, but Y has 2"):
        energy_distance(rows, rows[:, :2])
    with pytest.raises(ValueError, match="Input Y contains NaN"):
        energy_distance(rows, rows * np.nan)
    with pytest.raises(ValueError, match="minimum of 2"):
        floor(energy_distance, rows[:1])


# ---------------------------------------------------------------- bits


def test_bits_of_levels_by_hand():
    """Levels 0 to 3 of probability 1/2, 1/4, 1/8 and 1/8: entropy 1.75 bits."""
    probability = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    levels = np.repeat(np.arange(4), [4, 2, 1, 1])
    # Within a cell of width 1/4 the density of (level + u) / 4 is constant.
    log_density = np.log(probability[levels] / (1 / 4))
    bits = bits_per_dim(log_density, 1, n_levels=4)
    np.testing.assert_allclose(bits, -np.log2(probability[levels]), rtol=1e-14)
    mean = bits_per_dim(log_density.mean(), 1, n_levels=4)
    assert mean == pytest.approx(1.75, rel=1e-14)


def test_bits_of_256_levels_in_any_space():
    """The same density of dequantized pixels, as x, as x * 256 and as its logit."""
    rng, d, alpha = np.random.default_rng(0), 3, 1e-6
    x = (rng.integers(256, size=(50, d)) + rng.uniform(size=(50, d))) / 256
    of_x = np.log(2.0 * x).sum(axis=1)
    expected = 8.0 - of_x / (d * np.log(2.0))
    np.testing.assert_allclose(bits_per_dim(of_x, d), expected, rtol=1e-13)
    of_levels = of_x - d * np.log(256)
    bits = bits_per_dim(of_levels, d, n_levels=1)
    np.testing.assert_allclose(bits, expected, rtol=1e-13)
    s = alpha + (1 - 2 * alpha) * x
    log_det = np.log((1 - 2 * alpha) / (s * (1 - s))).sum(axis=1)
    bits = bits_per_dim(of_x - log_det, d, log_det=log_det)
    np.testing.assert_allclose(bits, expected, rtol=1e-13)


def test_bits_refuse_no_features():
    with pytest.raises(ValueError, match="n_features and n_levels must be at least 1"):
        bits_per_dim(0.0, 0)


def test_near_rows_beside_far_ones_keep_the_digits_of_their_distance():
    rng = np.random.default_rng(0)
    x, y = np.r_[1e6, 1e-3 * rng.normal(size=40)], 1e-3 * rng.normal(size=30)
    within = [(np.abs(z[:, None] - z) ** 0.25).mean() for z in (x, y)]
    between = (np.abs(x[:, None] - y) ** 0.25).mean()
    expected = 1.0 - np.mean(within) / np.mean([*within, between, between])
    found = energy_coefficient([x[:, None], y[:, None]])
    assert found == pytest.approx(expected, rel=1e-6)


def test_rows_that_are_equal_but_for_rounding_are_equal():
    X = np.random.default_rng(0).normal(size=(50, 3))
    assert energy_coefficient([X, X[::-1] * (1.0 + 2e-16)]) < 1e-12


@pytest.mark.parametrize(
    "distance",
    [energy_distance, maximum_mean_discrepancy, sliced_wasserstein_distance],
)
def test_a_column_whose_squares_are_no_numbers_is_named(distance):
    X = np.random.default_rng(0).normal(size=(20, 2)) * [1.0, 1e300]
    with pytest.raises(ValueError, match="Column 1 ranges from"):
        distance(X, X + 1.0)
