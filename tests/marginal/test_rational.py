"""RationalQuadraticGaussianizer: the kernel of its spline, and its knots."""

import numpy as np
import pytest
from scipy import stats

from destructors import _rational_kernels as kernels
from destructors.marginal import RationalQuadraticGaussianizer

KNOTS = np.array([-1.0, 0.0, 0.5, 2.0])
VALUES = np.array([-2.0, -0.5, 1.0, 1.5])
SLOPES = np.array([0.3, 2.0, 1.0, 0.1])
STARTS = np.array([0, 4])

each_path = pytest.mark.parametrize("path", ["columns", "vectorised"])


def forward(x, path):
    Z, log_det = np.empty((len(x), 1)), np.empty(len(x))
    kernel = getattr(kernels, f"_forward_{path}")
    kernel(x[:, None], KNOTS, VALUES, SLOPES, STARTS, Z, log_det)
    return Z[:, 0], log_det


def inverse(z, path):
    X, log_det = np.empty((len(z), 1)), np.empty(len(z))
    kernel = getattr(kernels, f"_inverse_{path}")
    kernel(z[:, None], KNOTS, VALUES, SLOPES, STARTS, X, log_det)
    return X[:, 0], log_det


@each_path
def test_values_and_slopes_at_the_knots_are_those_given(path):
    z, log_det = forward(KNOTS, path)
    np.testing.assert_allclose(z, VALUES, atol=1e-15)
    np.testing.assert_allclose(np.exp(log_det), SLOPES)


@each_path
def test_formula_of_the_paper_between_knots(path):
    s, h, r, a, b = 0.3, 0.5, 1.5, 2.0, 1.0
    m = r / h
    above = r * (m * s**2 + a * s * (1 - s))
    below = m + (b + a - 2 * m) * s * (1 - s)
    z, log_det = forward(np.array([0.0 + s * h]), path)
    assert z[0] == pytest.approx(-0.5 + above / below)
    top = m**2 * (b * s**2 + 2 * m * s * (1 - s) + a * (1 - s) ** 2)
    assert np.exp(log_det[0]) == pytest.approx(top / below**2)


@each_path
def test_linear_beyond_the_knots(path):
    z, log_det = forward(np.array([-1001.0, 1002.0]), path)
    np.testing.assert_allclose(z, [-2.0 - 0.3 * 1000.0, 1.5 + 0.1 * 1000.0])
    np.testing.assert_allclose(np.exp(log_det), [0.3, 0.1])


@each_path
def test_inverse_and_jacobian(path):
    x = np.linspace(-3.0, 4.0, 1001)
    z, log_det = forward(x, path)
    assert (np.diff(z) > 0).all()
    back, back_log_det = inverse(z, path)
    np.testing.assert_allclose(back, x, atol=1e-12)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-10)
    step = 1e-6
    numerical = (forward(x + step, path)[0] - forward(x - step, path)[0]) / (2 * step)
    np.testing.assert_allclose(np.exp(log_det), numerical, rtol=1e-4)


def test_normal_data_need_the_fewest_knots():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(1000, 1))
    model = RationalQuadraticGaussianizer().fit(x)
    assert len(model.knots_[0]) <= 4
    np.testing.assert_allclose(model.slopes_[0], 0.5, rtol=0.15)


def test_n_knots_is_kept():
    x = np.random.default_rng(0).gamma(2.0, size=(500, 1))
    model = RationalQuadraticGaussianizer(n_knots=9).fit(x)
    # One more relaxes the sharp edge at zero.
    assert len(model.knots_[0]) in (9, 10)
    assert (np.diff(model.knots_[0]) > 0).all()
    assert (np.diff(model.values_[0]) > 0).all()


def test_map_follows_the_quantiles():
    x = np.random.default_rng(0).gamma(2.0, size=(5000, 1))
    model = RationalQuadraticGaussianizer().fit(x)
    levels = np.linspace(0.02, 0.98, 25)
    quantiles = np.quantile(x, levels)[:, None]
    np.testing.assert_allclose(
        model.transform(quantiles)[:, 0], stats.norm.ppf(levels), atol=0.1
    )
