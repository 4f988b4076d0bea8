"""Into the unit cube and out again."""

import numpy as np
import pytest
from scipy import stats

from destructors.maps._cube import CUTOFF, from_cube, to_cube


def test_inside_it_is_the_restricted_normal_distribution_function():
    z = np.linspace(-4.999, 4.999, 2001)
    law = stats.truncnorm(-CUTOFF, CUTOFF)
    np.testing.assert_allclose(to_cube(z), law.cdf(z), atol=1e-12)


def test_normal_rows_fill_it_evenly():
    u = to_cube(np.random.default_rng(0).normal(size=20_000))
    assert stats.kstest(u, stats.uniform.cdf).pvalue > 1e-3


def test_only_what_is_beyond_the_cutoff_is_on_a_face():
    below, above = np.nextafter(-CUTOFF, -9), np.nextafter(CUTOFF, 9)
    on_face = [-1e300, -7.0, below, -CUTOFF]
    np.testing.assert_array_equal(to_cube(np.array(on_face)), 0.0)
    np.testing.assert_array_equal(to_cube(-np.array(on_face)), 1.0)
    assert above > CUTOFF
    inside = np.array([np.nextafter(-CUTOFF, 0), -1.0, 0.0, np.nextafter(CUTOFF, 0)])
    u = to_cube(inside)
    assert ((u > 0.0) & (u < 1.0)).all()
    assert u[2] == 0.5


def test_it_is_monotone_up_to_the_faces():
    z = np.sort(np.r_[np.linspace(-6, 6, 5001), -CUTOFF, CUTOFF])
    assert (np.diff(to_cube(z)) >= 0.0).all()


def test_there_and_back():
    Z = np.random.default_rng(0).normal(size=(5000, 3)) * [1.0, 2.0, 10.0]
    moved, log_det = from_cube(to_cube(Z), Z)
    beyond = np.abs(Z) >= CUTOFF
    assert beyond.any()
    np.testing.assert_array_equal(moved[beyond], Z[beyond])
    # Near the upper face float64 has only so many digits.
    np.testing.assert_allclose(moved, Z, atol=1e-9)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-8)


@pytest.mark.parametrize("power", [0.5, 3.0])
def test_log_det_is_that_of_both_ways(power):
    # With u -> u ** power in between, of which the slope is known.
    Z = np.random.default_rng(0).uniform(-2.0, 2.0, size=(200, 2))
    U = to_cube(Z)
    _, log_det = from_cube(U**power, Z)
    whole = log_det + np.log(power * U ** (power - 1.0)).sum(axis=1)
    there = lambda Z: from_cube(to_cube(Z) ** power, Z)[0]
    slope = (there(Z + 1e-6) - there(Z - 1e-6)) / 2e-6
    np.testing.assert_allclose(whole, np.log(slope).sum(axis=1), atol=1e-5)


def test_input_is_left_alone():
    Z = np.random.default_rng(0).normal(size=(50, 2))
    Z_before, U = Z.copy(), to_cube(Z)
    U_before = U.copy()
    from_cube(U, Z)
    np.testing.assert_array_equal(Z, Z_before)
    np.testing.assert_array_equal(U, U_before)
