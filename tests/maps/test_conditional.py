"""One feature given those before it: the kernels against NumPy, and both against
closed forms.
"""

from functools import partialmethod

import numpy as np
import pytest
from scipy import stats

from destructors.maps import _rosenblatt
from destructors.maps._jit import has_numba
from destructors.maps._rosenblatt_plain import Conditional

needs_kernels = pytest.mark.skipif(not has_numba(), reason="kernels are not compiled")


def make_mixture(n_components=5, n_samples=700, tilt=0.0, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    factor = rng.uniform(0.3, 3.0, n_components)
    offset = spread * rng.normal(size=(n_components, n_samples))
    weight = rng.dirichlet(np.ones(n_components), n_samples).T.copy()
    return Conditional(factor, offset, np.log(weight), tilt)


def by_kernel(mixture, values, inverse):
    """Each row as the only feature of a mixture of its own."""
    factor, offset, log_weight, tilt = mixture
    found, log_slope = np.empty((len(values), 1)), np.empty(len(values))
    for i in range(len(values)):
        row = slice(i, i + 1)
        _rosenblatt._solve(
            values[row, None],
            np.ascontiguousarray(log_weight[:, i])[None],
            np.zeros((1, 1, len(factor))),
            factor[None],
            np.log(factor)[None],
            -offset[:, i][None],
            np.zeros(1, bool),
            tilt,
            inverse,
            found[row],
            log_slope[row],
            None,
        )
    return found[:, 0], log_slope


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def either(request, monkeypatch):
    """Run a test on the kernels and on the path without numba."""
    if not request.param:
        return
    if not has_numba():
        pytest.skip("kernels are not compiled")
    ways = {"gaussianize": False, "invert": True}
    for name, inverse in ways.items():
        way = partialmethod(by_kernel, inverse=inverse)
        monkeypatch.setattr(Conditional, name, way)


# From the bulk to where sums, squares and the density itself leave float64.
REACH = [1.0, 10.0, 100.0, 1e4, 1e8, 1e100]


@needs_kernels
@pytest.mark.parametrize("reach", REACH)
@pytest.mark.parametrize("tilt", [0.0, 1e-7])
def test_kernel_is_the_numpy_reference(reach, tilt):
    mixture = make_mixture(tilt=tilt)
    x = reach * np.random.default_rng(1).normal(size=700)
    z, log_slope = by_kernel(mixture, x, inverse=False)
    z_there, log_slope_there = mixture.gaussianize(x)
    np.testing.assert_allclose(z, z_there, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(log_slope, log_slope_there, rtol=1e-12, atol=1e-11)


@needs_kernels
@pytest.mark.parametrize("reach", [1.0, 10.0, 1e4])
@pytest.mark.parametrize("tilt", [0.0, 1e-7])
def test_inverse_kernel_is_the_numpy_reference(reach, tilt):
    mixture = make_mixture(tilt=tilt)
    z = reach * np.random.default_rng(1).normal(size=700)
    x, log_slope = by_kernel(mixture, z, inverse=True)
    x_there, log_slope_there = mixture.invert(z)
    np.testing.assert_allclose(x, x_there, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_slope, log_slope_there, rtol=1e-8, atol=1e-8)


@needs_kernels
@pytest.mark.parametrize("gap", [30.0, 38.0, 45.0, 60.0, 70.0, 200.0])
def test_components_of_hardly_any_weight_are_not_missed(gap):
    # One component has all the weight but exp(-gap); the other is far away.
    rng, n = np.random.default_rng(0), 400
    x = rng.uniform(-12.0, 30.0, size=n)
    offset = np.array([[0.0], [-20.0]]) * np.ones(n)
    log_weight = np.array([[0.0], [-gap]]) * np.ones(n)
    mixture = Conditional(np.ones(2), offset, log_weight, 0.0)
    z, log_slope = by_kernel(mixture, x, inverse=False)
    z_there, log_slope_there = mixture.gaussianize(x)
    np.testing.assert_allclose(z, z_there, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_slope, log_slope_there, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("reach", REACH)
def test_inverse_undoes_the_map(reach):
    mixture = make_mixture()
    x = reach * np.random.default_rng(1).normal(size=700)
    z, log_slope = mixture.gaussianize(x)
    back, log_slope_there = mixture.invert(z)
    np.testing.assert_allclose(back, x, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(log_slope_there, log_slope, rtol=1e-8, atol=1e-7)


@pytest.mark.usefixtures("either")
def test_map_is_that_of_the_distribution_function():
    mixture = make_mixture()
    x = np.random.default_rng(1).normal(size=700)
    sd = 1.0 / mixture.factor[:, None]
    parts = stats.norm(-mixture.offset * sd, sd)
    z, log_slope = mixture.gaussianize(x)
    cdf = (np.exp(mixture.log_weight) * parts.cdf(x)).sum(axis=0)
    pdf = (np.exp(mixture.log_weight) * parts.pdf(x)).sum(axis=0)
    np.testing.assert_allclose(stats.norm.cdf(z), cdf, rtol=1e-12)
    np.testing.assert_allclose(
        log_slope, np.log(pdf) - stats.norm.logpdf(z), rtol=1e-11, atol=1e-12
    )


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("tilt", [0.0, 1e-7])
def test_slope_is_the_derivative(tilt):
    mixture = make_mixture(tilt=tilt)
    x = np.random.default_rng(1).normal(size=700)
    step = 1e-6
    high, low = mixture.gaussianize(x + step)[0], mixture.gaussianize(x - step)[0]
    np.testing.assert_allclose(
        np.exp(mixture.gaussianize(x)[1]), (high - low) / (2 * step), rtol=1e-6
    )


@pytest.mark.usefixtures("either")
def test_one_component_is_linear():
    mixture = make_mixture(n_components=1)
    x = np.random.default_rng(1).normal(size=700) * np.logspace(-3, 30, 700)
    z, log_slope = mixture.gaussianize(x)
    np.testing.assert_allclose(z, mixture.factor * x + mixture.offset[0], rtol=1e-11)
    np.testing.assert_allclose(log_slope, np.log(mixture.factor[0]), atol=1e-11)


@pytest.mark.usefixtures("either")
def test_far_out_the_map_is_that_of_the_widest_component():
    mixture = make_mixture()
    x = np.full(700, 1e6)
    z, log_slope = mixture.gaussianize(x)
    np.testing.assert_allclose(z, mixture.factor.min() * x, rtol=1e-4)
    np.testing.assert_allclose(log_slope, np.log(mixture.factor.min()), atol=1e-9)


@pytest.mark.usefixtures("either")
def test_tilt_makes_an_empty_gap_invertible():
    # Two components a thousand standard deviations apart, and values between them.
    n = 200
    x = np.linspace(-480.0, 480.0, n)
    offset = np.array([[500.0], [-500.0]]) * np.ones(n)
    flat = Conditional(np.ones(2), offset, np.full((2, n), np.log(0.5)), 0.0)
    z, log_slope = flat.gaussianize(x)
    assert np.isfinite(log_slope).all()
    assert log_slope[n // 2] < -1e5
    assert np.ptp(z[50:150]) < 1e-15
    tilted = flat._replace(tilt=1e-7)
    z, log_slope = tilted.gaussianize(x)
    assert (np.diff(z) > 0).all()
    np.testing.assert_allclose(log_slope, np.log(1e-7), atol=1e-6)
    np.testing.assert_allclose(tilted.invert(z)[0], x, atol=1e-7)


@pytest.mark.usefixtures("either")
def test_latents_far_out_have_finite_inverses():
    mixture = make_mixture(spread=20.0)
    z = np.repeat([-1e100, -1e8, -40.0, 0.0, 40.0, 1e8, 1e100], 100)
    x, log_slope = mixture.invert(z)
    assert np.isfinite(x).all()
    assert np.isfinite(log_slope).all()
    np.testing.assert_allclose(mixture.gaussianize(x)[0], z, rtol=1e-9, atol=1e-9)
