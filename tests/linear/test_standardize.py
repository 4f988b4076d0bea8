"""Standardize: location and scale, classical and robust."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_wine
from sklearn.preprocessing import RobustScaler, StandardScaler

from destructors.linear import Standardize


def test_agrees_with_the_scalers_of_scikit_learn():
    X = load_wine().data
    np.testing.assert_allclose(
        Standardize().fit_transform(X), StandardScaler().fit_transform(X), atol=1e-12
    )
    np.testing.assert_allclose(
        Standardize(robust=True).fit_transform(X),
        RobustScaler(unit_variance=True).fit_transform(X),
        atol=0.15,
    )


def test_density_is_a_product_of_normals():
    X = load_wine().data
    truth = stats.norm.logpdf(X, X.mean(axis=0), X.std(axis=0)).sum(axis=1)
    np.testing.assert_allclose(Standardize().fit(X).score_samples(X), truth)


def test_outliers_have_no_say_in_the_robust_scale():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(1001, 1))
    clean = Standardize(robust=True).fit(x)
    x[:20] = 1e9
    dirty = Standardize(robust=True).fit(x)
    assert dirty.center_ == pytest.approx(clean.center_, abs=0.1)
    assert clean.center_ == pytest.approx(np.median(x[20:]), abs=0.1)
    assert dirty.scale_ == pytest.approx(clean.scale_, abs=0.1)
    assert clean.scale_ == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("robust", [False, True])
def test_weights_equal_repeated_rows(robust):
    rng = np.random.default_rng(0)
    X, weight = rng.gamma(2.0, size=(101, 3)), rng.integers(0, 4, size=101)
    weighted = Standardize(robust=robust).fit(X, sample_weight=weight)
    repeated = Standardize(robust=robust).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.scale_, repeated.scale_)
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-12)


def test_location_has_the_name_that_scikit_learn_gives_it():
    X = np.random.default_rng(0).gamma(2.0, size=(101, 3))
    plain, robust = (Standardize(robust=robust).fit(X) for robust in (False, True))
    np.testing.assert_allclose(plain.mean_, X.mean(axis=0))
    np.testing.assert_allclose(robust.center_, np.median(X, axis=0))
    assert not hasattr(plain, "center_")
    assert not hasattr(robust, "mean_")


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("value", [0.0, -3.5, 1e12])
def test_constant_columns_are_shifted(robust, value):
    X = np.full((20, 1), value)
    model = Standardize(robust=robust).fit(X)
    assert model.scale_ == 1.0
    np.testing.assert_allclose(model.transform(X), 0.0, atol=1e-3)


def test_mostly_equal_rows_fall_back_on_the_standard_deviation():
    X = np.repeat([0.0, 1.0], [90, 10])[:, None]
    assert Standardize(robust=True).fit(X).scale_ == pytest.approx(0.3)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_do_not_matter(unit):
    X = np.random.default_rng(0).normal(size=(100, 2))
    for robust in (False, True):
        model = Standardize(robust=robust)
        np.testing.assert_allclose(
            model.fit_transform(X * unit), model.fit_transform(X), rtol=1e-9
        )


def test_robust_location_of_the_largest_numbers_does_not_overflow():
    X = np.tile([[1.7e308, 0.0], [1.7e308, 1.0]], (5, 1))
    model = Standardize(robust=True).fit(X)
    np.testing.assert_array_equal(model.map_.location, [1.7e308, 0.5])
