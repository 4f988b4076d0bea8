"""The normal distribution in the compiled kernels, against scipy.special."""

import numpy as np
import pytest
from scipy import special

from destructors.mixture import _normal

numba = pytest.importorskip("numba", reason="kernels are not compiled")


def on_array(scalar):
    """Let a compiled function of a number take an array."""

    @numba.njit
    def loop(x, out):
        for i in range(len(x)):
            out[i] = scalar(x[i])

    def function(x):
        out = np.empty_like(x)
        loop(x, out)
        return out

    return function


def test_exp_is_exact_to_the_last_place_or_two():
    x = np.r_[-np.linspace(0.0, 300.0, 50_001), -np.geomspace(1e-20, 1.0, 1000)]
    np.testing.assert_allclose(on_array(_normal.exp)(x), np.exp(x), rtol=1e-15)


def test_exp_stays_at_its_smallest_value():
    x = -np.array([300.0, 1e3, 1e100, 1e300])
    np.testing.assert_allclose(on_array(_normal.exp)(x), _normal.SMALLEST, rtol=1e-15)


def test_log_is_exact_to_the_last_place_or_two():
    rng = np.random.default_rng(0)
    x = np.r_[
        np.geomspace(1e-307, 1e307, 50_001),
        1.0 + np.r_[-1, 1] * 1e-10,
        rng.uniform(0.5, 2, 10_000),
    ]
    np.testing.assert_allclose(on_array(_normal.log)(x), np.log(x), rtol=5e-16)


def test_mills_ratio_from_zero_to_the_largest_argument():
    u = np.r_[np.linspace(0.0, 50.0, 50_001), np.geomspace(50.0, _normal.LARGEST, 1000)]
    expected = np.sqrt(np.pi / 2) * special.erfcx(u / np.sqrt(2))
    np.testing.assert_allclose(on_array(_normal.mills)(u), expected, rtol=2e-15)


def test_log_tail_and_log_mills_on_both_sides():
    u = np.r_[np.linspace(-20.0, 40.0, 5001), 1e3, 1e8, 1e150]
    log_tail = special.log_ndtr(-u)
    np.testing.assert_allclose(
        on_array(_normal.log_tail)(u), log_tail, rtol=1e-12, atol=1e-280
    )
    right = np.log(np.sqrt(np.pi / 2) * special.erfcx(u[u > -5] / np.sqrt(2)))
    np.testing.assert_allclose(
        on_array(_normal.log_mills)(u[u > -5]), right, rtol=1e-13, atol=1e-13
    )
    left = np.array([-20.0, -1e3, -1e150])
    np.testing.assert_allclose(
        on_array(_normal.log_mills)(left),
        0.5 * left**2 + 0.5 * np.log(2 * np.pi),
        rtol=1e-14,
    )


def test_quantile_is_the_inverse_of_the_tail():
    # scipy's ndtri_exp itself is good to 1e-12 only, far out.
    log_p = -np.r_[np.linspace(np.log(2), 2000, 20_001), np.geomspace(2e3, 1e299, 500)]
    expected = -special.ndtri_exp(log_p)
    np.testing.assert_allclose(
        on_array(_normal.quantile)(log_p), expected, rtol=1e-12, atol=2e-15
    )
    z = np.linspace(0.0, 8.0, 2001)
    back = on_array(_normal.quantile)(special.log_ndtr(-z))
    np.testing.assert_allclose(back, z, rtol=1e-14, atol=1e-15)
