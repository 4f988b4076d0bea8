"""Rotations: orthogonal, and each in its own way."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import ortho_group
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA

from destructors.linear import (
    FixedRotation,
    PCARotation,
    RandomRotation,
    SlicedRotation,
)


@pytest.mark.parametrize("model", [RandomRotation(random_state=0), PCARotation()])
@pytest.mark.parametrize("d", [1, 2, 7])
def test_lengths_and_volumes_stay(model, d):
    X = np.random.default_rng(0).normal(size=(100, d)) * np.arange(1, d + 1)
    Z, log_det = model.fit(X).transform_and_log_det(X)
    Q = model.rotation_
    np.testing.assert_allclose(Q @ Q.T, np.eye(d), atol=1e-12)
    np.testing.assert_allclose(Z, X @ Q.T, atol=1e-12)
    np.testing.assert_array_equal(log_det, 0.0)
    np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-12)


@pytest.mark.parametrize("model", [RandomRotation(random_state=0), PCARotation()])
def test_constant_columns_stay_by_themselves(model):
    X = np.random.default_rng(0).normal(size=(50, 4))
    X[:, 1] = 3.0
    alone = clone(model).fit(X[:, [0, 2, 3]]).rotation_
    rotation = model.fit(X).rotation_
    np.testing.assert_array_equal(rotation[1], [0.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(rotation[:, 1], rotation[1])
    others = np.ix_([0, 2, 3], [0, 2, 3])
    np.testing.assert_allclose(rotation[others], alone, atol=1e-12)


# ---------------------------------------------------------------- random


def rotations(d, n):
    X = np.zeros((2, d))
    return np.array(
        [RandomRotation(random_state=seed).fit(X).rotation_ for seed in range(n)]
    )


def test_seed_decides():
    X = np.zeros((2, 5))
    one, same, other = (RandomRotation(random_state=s).fit(X) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.rotation_, same.rotation_)
    assert np.abs(one.rotation_ - other.rotation_).max() > 0.1


def test_both_signs_of_the_determinant_are_as_likely():
    positive = (np.linalg.det(rotations(3, 400)) > 0).sum()
    assert stats.binomtest(int(positive), 400).pvalue > 1e-3


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 0)])
def test_entries_have_the_law_of_haar(place):
    # A coordinate of a uniform point of the sphere in 3 dimensions is uniform.
    entries = rotations(3, 500)[:, *place]
    assert stats.kstest(entries, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_law_is_invariant_under_rotation():
    turn = stats.ortho_group(4, seed=0).rvs()
    Q = rotations(4, 500)
    assert stats.ks_2samp(Q[:250, 0, 0], (Q[250:] @ turn)[:, 0, 0]).pvalue > 1e-3


# ---------------------------------------------------------------- principal axes


def test_axes_are_those_of_pca():
    X = load_wine().data
    Z = PCARotation().fit_transform(X)
    pca = PCA().fit(X)
    np.testing.assert_allclose(
        Z.var(axis=0, ddof=1), pca.explained_variance_, rtol=1e-6
    )
    cosines = np.abs((PCARotation().fit(X).rotation_ * pca.components_).sum(axis=1))
    np.testing.assert_allclose(cosines, 1.0, atol=1e-6)


def test_latent_is_uncorrelated_and_sorted_by_variance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    covariance = np.cov(PCARotation().fit_transform(X).T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
    assert (np.diff(np.diag(covariance)) < 0).all()


def test_weights_equal_repeated_rows():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(200, 3)), rng.integers(1, 4, size=200)
    weighted = PCARotation().fit(X, sample_weight=weight)
    repeated = PCARotation().fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.rotation_, repeated.rotation_, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_do_not_matter(unit):
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 2.0, 3.0]
    np.testing.assert_allclose(
        PCARotation().fit(X * unit).rotation_, PCARotation().fit(X).rotation_, atol=1e-9
    )


def test_order_of_the_rows_does_not_matter():
    X = np.random.default_rng(0).normal(size=(300, 5))
    np.testing.assert_allclose(
        PCARotation().fit(X).rotation_, PCARotation().fit(X[::-1]).rotation_, atol=1e-8
    )


def test_free_directions_do_not_depend_on_rounding():
    # Three columns of equal variance: any rotation among them is as principal.
    X = np.kron(np.eye(3), [[1.0], [-1.0]])
    noise = 1e-15 * np.random.default_rng(0).normal(size=X.shape)
    np.testing.assert_allclose(
        PCARotation().fit(X).rotation_,
        PCARotation().fit(X + noise).rotation_,
        atol=1e-9,
    )


@pytest.mark.parametrize("d", [1, 3])
def test_constant_data_give_a_rotation_too(d):
    model = PCARotation().fit(np.full((10, d), 3.0))
    np.testing.assert_allclose(
        model.rotation_ @ model.rotation_.T, np.eye(d), atol=1e-12
    )


@pytest.mark.parametrize(
    "model",
    [
        PCARotation(),
        RandomRotation(random_state=0),
        FixedRotation(ortho_group.rvs(3, random_state=0)),
        SlicedRotation(random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_column_whose_digits_would_be_lost_is_named(model):
    X = np.random.default_rng(0).normal(size=(200, 3))
    X[:, 0] += X[:, 1]
    # As many digits as an offset leaves come back.
    offset = model.fit(X + 1e9)
    back = offset.inverse_transform(offset.transform(X + 1e9))
    np.testing.assert_allclose(back, X + 1e9, rtol=1e-14)
    with pytest.raises(ValueError, match=r"Column 1 is too small beside column 0"):
        model.fit(X @ [[1e12, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_one_column_loses_nothing_however_few_digits_it_has():
    X = 1e15 + np.random.default_rng(0).normal(size=(200, 1))
    model = RandomRotation(random_state=0).fit(X)
    np.testing.assert_array_equal(model.inverse_transform(model.transform(X)), X)


def test_nothing_is_lost_where_no_column_meets_another():
    X = np.random.default_rng(0).normal(size=(200, 2)) * [1e-12, 1e12]
    model = FixedRotation([[0.0, 1.0], [1.0, 0.0]]).fit(X)
    np.testing.assert_array_equal(model.inverse_transform(model.transform(X)), X)


@pytest.mark.parametrize("copies", [1, 3])
def test_no_column_is_left_without_variance_by_columns_that_repeat(copies):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    X = np.c_[X, X @ rng.normal(size=(2, copies))]
    Z = PCARotation().fit_transform(X)
    assert (Z.std(axis=0) > 0.1).all()
    np.testing.assert_allclose((Z**2).sum(axis=1), (X**2).sum(axis=1))
