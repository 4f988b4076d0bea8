"""Gaussians of numbers of which any may be missing."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from destructors.maps import Gaussians
from destructors.maps._gaussians import bundles
from destructors.mixture._mixed_counts import Strength
from destructors.mixture._mixed_em import MixedEM, Table
from destructors.rows import Rows


@pytest.fixture
def X():
    """Rows with nearly as many patterns of holes as rows, and some that repeat one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6))
    X[:100][rng.random((100, 6)) < 0.4] = np.nan
    X[100:130, [1, 4]] = np.nan
    X[0] = np.nan
    return X


@pytest.fixture
def gaussians():
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(3, 6, 6))
    return Gaussians(rng.normal(size=(3, 6)), roots @ roots.transpose(0, 2, 1))


def test_rows_that_have_as_many_columns_are_taken_together(X):
    found = list(bundles(X))
    rows = np.concatenate([rows for rows, _ in found])
    assert sorted(rows) == list(range(len(X)))
    assert len(found) < 10 < len(np.unique(np.isnan(X), axis=0))
    for rows, known in found:
        expected = np.broadcast_to(known, X[rows].shape)
        np.testing.assert_array_equal(~np.isnan(X[rows]), expected)


def test_densities_are_those_of_what_each_row_has(X, gaussians):
    found = gaussians.logpdf(X)
    for k in range(3):
        for x, log in zip(X, found[:, k], strict=True):
            here = ~np.isnan(x)
            expected = 0.0
            if here.any():
                covariance = gaussians.covariances[k][np.ix_(here, here)]
                law = multivariate_normal(gaussians.means[k, here], covariance)
                expected = law.logpdf(x[here])
            assert log == pytest.approx(expected)
    alone = np.vstack([gaussians.logpdf(x[None]) for x in X])
    np.testing.assert_allclose(alone, found, rtol=1e-12, atol=1e-12)


def test_moments_of_what_is_missing_are_those_given_the_rest(X, gaussians):
    em = MixedEM(Table(Rows.of(X)), 1e-3, 1e-6, 1, Strength())
    share = np.random.default_rng(2).dirichlet(np.ones(3), len(X))
    found = em._moments(share, np.arange(3), gaussians)
    for k in range(3):
        mean, covariance = gaussians.means[k], gaussians.covariances[k]
        sums, products = np.zeros(6), np.zeros((6, 6))
        for x, weight in zip(X, share[:, k], strict=True):
            gone, here = np.isnan(x), ~np.isnan(x)
            filled, spread = np.where(gone, mean, x), np.zeros((6, 6))
            if gone.any():
                known = covariance[np.ix_(here, here)]
                gain = np.linalg.solve(known, covariance[np.ix_(here, gone)]).T
                filled[gone] = mean[gone] + gain @ (x[here] - mean[here])
                rest = gain @ covariance[np.ix_(here, gone)]
                spread[np.ix_(gone, gone)] = covariance[np.ix_(gone, gone)] - rest
            sums += weight * filled
            products += weight * (np.outer(filled, filled) + spread)
        np.testing.assert_allclose(found.sums[k], sums, atol=1e-9)
        np.testing.assert_allclose(found.products[k], products, atol=1e-9)
