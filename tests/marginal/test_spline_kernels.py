"""The compiled kernels and their vectorised stand-ins are one function."""

import numpy as np
import pytest

from destructors.marginal import _spline_kernels as kernels


@pytest.fixture(params=[1, 3])
def splines(request):
    """Splines of random knots and slopes, consistent in value."""
    rng = np.random.default_rng(0)
    knots, values, slopes = [], [], []
    for n_knots in rng.integers(2, 40, size=request.param):
        x = np.cumsum(rng.exponential(size=n_knots)) - 0.5 * n_knots
        g = np.exp(rng.normal(size=n_knots))
        rises = 0.5 * np.diff(x) * (g[1:] + g[:-1])
        knots.append(x)
        slopes.append(g)
        values.append(np.cumsum(np.r_[-0.5 * rises.sum(), rises]))
    starts = np.cumsum([0, *map(len, knots)])
    return *map(np.concatenate, (knots, values, slopes)), starts


def evaluate(kernel, points, splines):
    out, log_det = np.empty_like(points), np.empty(len(points))
    kernel(points, *splines, out, log_det)
    return out, log_det


def points_for(splines, which):
    """Points inside, far outside and exactly on knots."""
    *parts, starts = splines
    rng = np.random.default_rng(1)
    d = len(starts) - 1
    points = [
        rng.normal(scale=20.0, size=(3000, d)),
        rng.normal(scale=1e6, size=(50, d)),
        [parts[which][starts[:-1]], parts[which][starts[1:] - 1]],
    ]
    return np.concatenate(points)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_vectorised_equals_compiled(splines, direction):
    compiled = getattr(kernels, f"_{direction}_columns")
    vectorised = getattr(kernels, f"_{direction}_vectorised")
    points = points_for(splines, which=0 if direction == "forward" else 1)
    for a, b in zip(
        evaluate(compiled, points, splines),
        evaluate(vectorised, points, splines),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_inverse_undoes_forward(splines):
    points = points_for(splines, which=0)
    Z, log_det = evaluate(kernels.spline_forward, points, splines)
    X, inverse_log_det = evaluate(kernels.spline_inverse, Z, splines)
    np.testing.assert_allclose(X, points, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-8)


def test_log_det_is_that_of_the_slope(splines):
    points = points_for(splines, which=0)[:2000]
    step = 1e-6
    log_det = evaluate(kernels.spline_forward, points, splines)[1]
    high = evaluate(kernels.spline_forward, points + step, splines)[0]
    low = evaluate(kernels.spline_forward, points - step, splines)[0]
    # The slope is continuous, so differences across a knot are right as well.
    expected = np.log((high - low) / (2 * step)).sum(axis=1)
    np.testing.assert_allclose(log_det, expected, atol=1e-4)
