"""Location and scale of columns, at the limits of float64."""

import numpy as np
import pytest

from destructors.rows import Rows, robust_mean_and_scale


def test_values_at_the_ends_of_float64_have_a_scale():
    top = np.finfo(float).max
    X = np.r_[np.full(50, 0.9 * top) * np.linspace(-0.01, 0.01, 50), -top, top]
    [mean], [scale], [constant] = robust_mean_and_scale(Rows.of(X[:, None]))
    assert abs(mean) < 0.01 * top
    assert 0.0 < scale < 0.5 * top
    assert not constant


def test_a_column_of_subnormal_values_is_constant():
    values = np.r_[43.0, 47.0, 45.0][:, None] * 5e-324
    weight = np.array([1.0, 1e-200, 1e-200])
    _, [scale], [constant] = robust_mean_and_scale(Rows.of(values, weight))
    assert constant
    assert scale == 1.0


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_the_scale_is_not_below_the_digits_of_the_mean(offset):
    values = offset + np.array([0.3, 1.0, 2.0])[:, None]
    weight = np.array([1.0, 1e-200, 1e-200])
    [mean], [scale], _ = robust_mean_and_scale(Rows.of(values, weight))
    assert abs(values[0, 0] - mean) <= 2.0 * scale


@pytest.mark.parametrize("n", [100, 140, 1000])
@pytest.mark.parametrize("sentinel", [1e3, 1e12, -1e30, 1e90])
def test_scale_of_few_rows_does_not_depend_on_how_far_out_one_is(n, sentinel):
    """Of n rows one far out leaves 6 / sqrt(n) of the scale in each plain step."""
    x = 3.0 + np.random.default_rng(n).normal(size=n)
    x[0] = sentinel
    [mean], [scale], _ = robust_mean_and_scale(Rows.of(x[:, None]))
    # Solved: those drawn in have the mean and the scale, up to a last step of 1 %.
    drawn = np.clip(x, mean - 6.0 * scale, mean + 6.0 * scale)
    assert abs(drawn.mean() - mean) < 0.02 * scale
    assert 0.98 * scale < drawn.std() <= 1.0001 * scale
    assert scale < 3.5


def test_sentinels_of_many_sizes_are_all_drawn_in():
    x = np.random.default_rng(0).normal(size=400)
    x[:4] = 1e10, -1e30, 1e50, 1e90
    [mean], [scale], _ = robust_mean_and_scale(Rows.of(x[:, None]))
    assert abs(mean) < 0.5
    assert scale < 2.0


def test_solved_scales_take_units_origins_and_weights():
    x = np.random.default_rng(0).normal(size=90)
    x[0] = 1e25
    weight = np.where(np.arange(90) % 3 == 1, 3.0, 1.0)
    known = robust_mean_and_scale(Rows.of(x[:, None], weight))[:2]
    repeated = np.repeat(x, weight.astype(int))[:, None]
    np.testing.assert_allclose(
        robust_mean_and_scale(Rows.of(repeated))[:2], known, rtol=1e-9
    )
    for unit, origin in ((1024.0, 0.0), (3e-7, 0.0), (1.0, 8.0)):
        mean, scale, _ = robust_mean_and_scale(
            Rows.of(unit * x[:, None] + origin, weight)
        )
        np.testing.assert_allclose(scale, unit * known[1], rtol=1e-6)
        np.testing.assert_allclose(mean, unit * known[0] + origin, atol=1e-6 * scale[0])
