"""Rows shared out among components: all of them, or those that are listed."""

import numpy as np
import pytest

from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._covariance import COVARIANCES
from destructors.mixture._em import EM
from destructors.mixture._expectation import Mixture, expect, expect_listed, pool
from destructors.mixture._shares import (
    fill_features,
    share_all,
    share_listed,
)
from destructors.rows import Rows

KERNELS = (fill_features, share_all, share_listed)


@pytest.fixture(scope="module")
def many():
    """5,000 weighted rows of 64 clusters in 3 dimensions, and their mixture."""
    rng = np.random.default_rng(0)
    means = 3.0 * rng.normal(size=(64, 3))
    X = means[rng.integers(64, size=5000)] + 0.2 * rng.normal(size=(5000, 3))
    rows = Rows.of(X, rng.uniform(0.5, 2.0, size=5000))
    roots = 0.2 * (np.eye(3) + 0.3 * rng.normal(size=(64, 3, 3)))
    return rows, Mixture(np.full(64, 1 / 64), means, roots @ roots.transpose(0, 2, 1))


def shared(rows, mixture, covariance_type):
    type_ = COVARIANCES[covariance_type](rows)
    covariances = {
        "full": mixture.covariances,
        "tied": mixture.covariances.mean(axis=0),
        "diag": np.diagonal(mixture.covariances, axis1=1, axis2=2),
        "spherical": np.full((64, 1), 0.04),
    }[covariance_type]
    mixture = mixture._replace(covariances=covariances)
    moments, total, listed = expect(rows, type_, mixture, lists=True)
    again, bound = expect_listed(rows, listed, type_, mixture)
    return moments, total, again, bound, pool(rows, type_), listed


@pytest.mark.parametrize("covariance_type", sorted(COVARIANCES))
def test_those_listed_have_all_but_a_millionth(many, covariance_type):
    rows, mixture = many
    moments, total, again, bound, _, listed = shared(rows, mixture, covariance_type)
    assert len(listed[0].components) < 20 * len(rows)
    np.testing.assert_allclose(again, moments, atol=1e-4 * np.abs(moments).max())
    # What is left out can only lower the bound.
    assert 0.0 <= total - bound < 1e-4 * rows.total


@pytest.mark.parametrize("covariance_type", sorted(COVARIANCES))
def test_plain_forms_equal_the_kernels(many, covariance_type, monkeypatch):
    compiled = shared(*many, covariance_type)
    for kernel in KERNELS:
        monkeypatch.setitem(kernel.__dict__, "_run", kernel.plain)
    plain = shared(*many, covariance_type)
    for found, expected in zip(plain[:-1], compiled[:-1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(plain[-1][0].ends, compiled[-1][0].ends)
    np.testing.assert_array_equal(plain[-1][0].components, compiled[-1][0].components)


@pytest.mark.parametrize("n_components", [2, 30])
def test_rows_of_many_columns_are_shared_out_as_those_of_few(n_components):
    rng = np.random.default_rng(0)
    d, n = 24, 30_000
    means = 0.3 * rng.normal(size=(n_components, d))
    X = means[rng.integers(n_components, size=n)] + 0.6 * rng.normal(size=(n, d))
    weight = rng.uniform(0.5, 2.0, size=n)
    weight[:100] = 0.0
    rows = Rows.of(X, weight)
    roots = 0.6 * (np.eye(d) + 0.1 * rng.normal(size=(n_components, d, d)))
    weights = np.full(n_components, 1 / n_components)
    mixture = Mixture(weights, means, roots @ roots.transpose(0, 2, 1))
    wide, narrow = COVARIANCES["full"](rows), COVARIANCES["full"](rows)
    assert wide.is_wide
    narrow.is_wide = False
    found = expect(rows, wide, mixture, lists=True)
    expected = expect(rows, narrow, mixture, lists=True)
    listed = expected[2]
    np.testing.assert_array_equal(found[2][0].components, listed[0].components)
    np.testing.assert_array_equal(found[2][0].ends, listed[0].ends)
    assert 1.1 * n < listed[0].ends[-1] < 0.99 * n * n_components
    for a, b in (
        (found[:2], expected[:2]),
        (expect(rows, wide, mixture)[:2], expected[:2]),
        (
            expect_listed(rows, listed, wide, mixture),
            expect_listed(rows, listed, narrow, mixture),
        ),
    ):
        scale = np.abs(b[0]).max()
        np.testing.assert_allclose(a[0], b[0], rtol=1e-9, atol=1e-12 * scale)
        np.testing.assert_allclose(a[1], b[1], rtol=1e-12)


def test_a_fit_by_lists_is_the_fit_of_all_steps(many, monkeypatch):
    rows, mixture = many
    start = mixture._replace(covariances=4.0 * mixture.covariances)
    model = GaussianMixtureDestructor(tol=0.0, max_iter=20)

    def fit():
        return EM(model, rows, model.max_iter).fit_from(
            Mixture(
                np.r_[0.99 * start.weights, 0.01],
                np.r_[start.means, np.zeros((1, 3))],
                np.r_[start.covariances, np.full((1, 1, 1), 99.0) * np.eye(3)],
            )
        )

    by_lists = fit()
    monkeypatch.setattr("destructors.mixture._em._FEW", 0.0)
    assert by_lists.lower_bound == pytest.approx(fit().lower_bound, abs=1e-4)
