"""The normal distribution in the compiled kernels, against scipy.special."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev
from scipy import special

from destructors.maps import _normal
from destructors.maps._jit import has_numba
from tools import chebyshev_tables

if not has_numba():
    pytest.skip("kernels are not compiled", allow_module_level=True)

import numba


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


# ---------------------------------------------------------------- tables


def powers(*parts):
    """Undo `_normal._interleave`: coefficients from the lowest power."""
    table = np.empty(sum(map(len, parts)))
    for i, part in enumerate(parts):
        table[i :: len(parts)] = part[::-1]
    return table


@pytest.mark.parametrize(
    ("table", "series"),
    [
        (
            powers(
                _normal._MILLS_0, _normal._MILLS_1, _normal._MILLS_2, _normal._MILLS_3
            ),
            chebyshev_tables.mills_series(),
        ),
        (
            powers(_normal._QUANTILE_EVEN, _normal._QUANTILE_ODD),
            chebyshev_tables.quantile_series(),
        ),
    ],
    ids=["mills", "quantile"],
)
def test_tables_are_those_of_the_script(table, series):
    # Powers magnify the rounding errors of the fit: the series is what is defined.
    np.testing.assert_allclose(chebyshev.poly2cheb(table), series, rtol=0, atol=3e-15)
    # It is cut off where nothing is left of it.
    assert abs(series[-1]) < 2e-15


def test_line_of_the_quantiles_is_that_of_the_script():
    slope, start = chebyshev_tables.quantile_line()
    assert pytest.approx(slope, rel=1e-15) == _normal._FIT_SLOPE
    assert pytest.approx(start, rel=1e-15) == _normal._FIT_START
