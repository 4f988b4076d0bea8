"""Kernels: a density, with tails that are finite everywhere."""

import numpy as np
import pytest
from scipy.stats import multivariate_t

from destructors.maps._kernel_density import KernelDensity
from destructors.maps._valid import validate

CENTRES = np.array([[0.0, 0.0], [1.0, -2.0], [3.0, 0.5]])
WEIGHTS = np.array([0.5, 0.2, 0.3])
WIDTHS = np.array([0.7, 0.1, 1.5])
DENSITY = KernelDensity(
    np.array([1.0, -3.0]), np.array([2.0, 0.1]), CENTRES, WEIGHTS, WIDTHS
)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 30])
def test_it_is_a_mixture_of_multivariate_cauchy_densities(d):
    rng = np.random.default_rng(0)
    center, scale = rng.normal(size=d), rng.uniform(0.1, 2.0, size=d)
    centres = rng.normal(size=(3, d))
    density = KernelDensity(center, scale, centres, WEIGHTS, WIDTHS)
    X = rng.normal(size=(50, d)) * 5.0 * scale + center
    parts = zip(WEIGHTS, WIDTHS, centres, strict=True)
    expected = sum(
        weight
        * multivariate_t.pdf(
            X, center + scale * centre, np.diag((width * scale) ** 2), df=1
        )
        for weight, width, centre in parts
    )
    np.testing.assert_allclose(density.logpdf(X), np.log(expected), rtol=1e-9)


def test_the_score_of_a_row_does_not_depend_on_the_others():
    X = np.random.default_rng(1).normal(size=(300, 2))
    many = KernelDensity(
        np.zeros(2),
        np.ones(2),
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
    far = np.array([10.0, 1e3, 1e50, 1e99, 1e150, np.finfo(float).max])
    scores = DENSITY.logpdf(np.c_[far, -far])
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
        {"scale": np.ones(3)},
        {"centres": np.full((3, 2), 1e200)},
    ],
)
def test_what_cannot_be_is_refused(broken):
    fields = dict(DENSITY.field_values())
    validate(KernelDensity(**fields))
    with pytest.raises(ValueError, match="KernelDensity"):
        validate(KernelDensity(**(fields | broken)))
