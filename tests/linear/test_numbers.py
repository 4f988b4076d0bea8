"""Linear maps of numbers that are hard to hold."""

import numpy as np
import pytest

from destructors.exceptions import DataWarning
from destructors.linear import ICAWhitening, Standardize, Whitening

MODELS = [Standardize(), Standardize(robust=True), Whitening(), ICAWhitening()]


def named(models):
    return pytest.mark.parametrize("model", models, ids=repr)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))


@named(MODELS)
@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e12, 1e300, 1e306])
def test_units_of_any_size(X, unit, model):
    scores = model.fit(X).score_samples(X)
    moved = model.fit(X * unit)
    np.testing.assert_allclose(
        moved.score_samples(X * unit) + 3 * np.log(unit), scores, atol=1e-7
    )
    assert np.isfinite(getattr(moved, "components_", 0.0)).all()


@named(MODELS)
def test_scale_and_shift_of_columns_change_the_density_by_the_scale_only(X, model):
    scale, shift = np.array([1e-6, 3.7, 1e6]), np.array([1e-6, -1e3, 0.0])
    scores = model.fit(X).score_samples(X)
    moved = X * scale + shift
    np.testing.assert_allclose(
        model.fit(moved).score_samples(moved) + np.log(scale).sum(), scores, atol=1e-6
    )


@named([Standardize(), Whitening(), ICAWhitening()])
def test_tiny_weights_are_no_rows(X, model):
    weight = np.where(np.arange(len(X)) < 100, 1e-17, 1.0)
    scores = model.fit(X, sample_weight=weight).score_samples(X)
    without = model.fit(X[100:]).score_samples(X)
    np.testing.assert_allclose(scores, without, atol=1e-9)


@named(MODELS)
@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_weights_of_any_size(X, model, unit):
    weight = np.random.default_rng(0).uniform(size=len(X))
    scores = model.fit(X, sample_weight=weight * unit).score_samples(X)
    # The same weights, as counts of as few or as many rows.
    power = -21 if unit < 1.0 else 53
    few = np.ldexp(weight / weight.sum(), power)
    expected = model.fit(X, sample_weight=few).score_samples(X)
    np.testing.assert_allclose(scores, expected, atol=1e-9)


@named(MODELS)
def test_a_range_over_the_largest_number_is_an_error_that_names_the_column(X, model):
    X = X.copy()
    X[:2, 1] = -1.7e308, 1.7e308
    with pytest.raises(ValueError, match=r"Column 1 ranges from -1.7e\+308 to 1.7e\+3"):
        model.fit(X)


@pytest.mark.parametrize("method", ["pca", "zca"])
def test_a_nearly_duplicate_column_costs_no_digits(X, method):
    """What the little difference is enlarged by does not round all the rest."""
    noise = np.random.default_rng(1).normal(size=len(X))
    X = np.c_[X, X[:, 0] * (1.0 + 1e-9 * noise)]
    model = Whitening(method=method, shrinkage=0.0)
    with pytest.warns(DataWarning, match="linear combinations"):
        model.fit(X)
    X = 1e3 * X
    there, _ = model.transform_and_log_det(X)
    back, _ = model.inverse_and_log_det(there)
    np.testing.assert_allclose(back, X, rtol=0.0, atol=1e-14 * np.abs(X).max())
    product = ((X - model.mean_) / model.scale_) @ model.components_.T
    np.testing.assert_allclose(there, product, rtol=0.0, atol=1e-6)
