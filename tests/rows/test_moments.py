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
