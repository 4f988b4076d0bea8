"""Kernels: a density, with tails that are finite everywhere."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_t

from destructors.maps import Affine
from destructors.maps._kernel_density import KernelDensity
from destructors.maps._valid import validate

CENTRES = np.array([[0.0, 0.0], [1.0, -2.0], [3.0, 0.5]])
WEIGHTS = np.array([0.5, 0.2, 0.3])
WIDTHS = np.array([0.7, 0.1, 1.5])
UNITS = Affine(np.array([1.0, -3.0]), np.array([2.0, 0.1]))
DENSITY = KernelDensity(UNITS, CENTRES, WEIGHTS, WIDTHS)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize("df", [1, 2, 5, 32])
def test_it_is_a_mixture_of_multivariate_t_densities(d, df):
    rng = np.random.default_rng(0)
    center, scale = rng.normal(size=d), rng.uniform(0.1, 2.0, size=d)
    matrix = np.eye(d) + 0.1 * rng.normal(size=(d, d))
    inverse = np.linalg.inv(matrix)
    units = Affine(center, scale, matrix, inverse, np.linalg.slogdet(matrix)[1])
    centres = rng.normal(size=(3, d))
    density = KernelDensity(units, centres, WEIGHTS, WIDTHS, df)
    X = rng.normal(size=(50, d)) * 5.0 * scale + center
    back = scale[:, None] * inverse
    expected = [
        np.log(weight)
        + multivariate_t.logpdf(
            X, center + back @ centre, width**2 / df * back @ back.T, df=df
        )
        for weight, width, centre in zip(WEIGHTS, WIDTHS, centres, strict=True)
    ]
    np.testing.assert_allclose(density.logpdf(X), logsumexp(expected, axis=0))


def test_widths_that_are_far_apart_lose_nothing():
    # The narrow kernels' factors are no numbers beside that of the wide one.
    d, df, widths = 30, 32, np.array([1e-12, 1e-9, 1e90])
    units = Affine(np.zeros(d), np.ones(d))
    centres = np.arange(3.0)[:, None] * np.ones(d)
    density = KernelDensity(units, centres, WEIGHTS, widths, df)
    X = np.array([0.0, 1.0, 1.5, 2.0, 1e80])[:, None] * np.ones(d)
    expected = [
        np.log(weight)
        + multivariate_t.logpdf(X, centre, width**2 / df * np.eye(d), df=df)
        for weight, width, centre in zip(WEIGHTS, widths, centres, strict=True)
    ]
    np.testing.assert_allclose(density.logpdf(X), logsumexp(expected, axis=0))


def test_the_score_of_a_row_does_not_depend_on_the_others():
    X = np.random.default_rng(1).normal(size=(300, 2))
    many = KernelDensity(
        UNITS,
        np.repeat(CENTRES, 400, 0),
        np.full(1200, 1 / 1200),
        np.ones(1200),
    )
    whole = many.logpdf(X)
    # More than one block.
    assert 2**15 // 1200 < 300
    np.testing.assert_array_equal(whole[::-1], many.logpdf(X[::-1]))
    np.testing.assert_array_equal(whole[:5], [many.logpdf(x[None])[0] for x in X[:5]])


def test_it_falls_with_distance_and_stays_finite():
    far = np.array([10.0, 1e3, 1e50, 1e98, 1e150, np.finfo(float).max])
    for df in (1, 4, 400):
        density = KernelDensity(UNITS, CENTRES, WEIGHTS, WIDTHS, df)
        scores = density.logpdf(np.c_[far, -far])
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 0).all()
        assert (np.diff(scores[:4]) < 0).all()


@pytest.mark.parametrize(
    "broken",
    [
        {"weights": np.ones(2)},
        {"weights": np.array([0.5, -0.2, 0.7])},
        {"widths": np.array([1.0, 0.0, 1.0])},
        {"widths": np.array([1.0, np.nan, 1.0])},
        {"widths": np.ones(2)},
        {"map": Affine(np.zeros(3), np.ones(3))},
        {"map": Affine(np.zeros(2), np.ones(2), np.eye(3), np.eye(3))},
        {"degrees_of_freedom": 0},
        {"degrees_of_freedom": 1.5},
        {"centres": np.full((3, 2), 1e200)},
    ],
)
def test_what_cannot_be_is_refused(broken):
    fields = dict(DENSITY.field_values())
    validate(KernelDensity(**fields))
    with pytest.raises(ValueError, match="KernelDensity"):
        validate(KernelDensity(**(fields | broken)))
