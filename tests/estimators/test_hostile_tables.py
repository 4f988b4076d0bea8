"""Estimators built on destructors, on tables that hardly are tables."""

import warnings

import numpy as np
import pandas as pd
import pytest

from destructors.autoregressive import RegressionDestructor
from destructors.estimators import (
    ConditionalDensity,
    ConditionalSampler,
    DensityClassifier,
    DensityImputer,
    MixtureDensity,
    OutlierDetector,
)
from destructors.exceptions import DataWarning, SamplingWarning
from destructors.linear import Whitening
from destructors.marginal import SplineGaussianizer


@pytest.fixture(autouse=True)
def told():
    """What data are like may be told, nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DataWarning)
        warnings.simplefilter("ignore", SamplingWarning)
        yield


def one_hot(n_rows, n_codes):
    return np.eye(n_codes)[np.random.default_rng(0).integers(0, n_codes, n_rows)]


WEIGHTS = {
    "huge": lambda rng, n: np.full(n, 1e300),
    "of any size": lambda rng, n: 10.0 ** rng.uniform(-80, 80, n),
    "many of few rows": lambda rng, n: 1e20 * rng.random(n),
}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("n_rows", [3, 7, 25])
def test_conditional_density_of_any_weights(weights, n_rows):
    rng = np.random.default_rng(n_rows)
    X, weight = rng.normal(size=(n_rows, 6)), WEIGHTS[weights](rng, n_rows)
    X[:, 0] = 1e6 * rng.integers(0, 3, n_rows) + X[:, 0]
    model = ConditionalDensity(max_trees=20, random_state=0)
    model.fit(X[:, 1:], X[:, 0], sample_weight=weight)
    assert np.isfinite(model.score_samples(X[:, 1:], X[:, 0])).all()
    assert np.isfinite(model.predict_quantile(X[:, 1:], [0.05, 0.95])).all()


def test_conditional_density_of_a_target_that_is_constant_in_most_folds():
    X = one_hot(7, 6)
    for y in X.T:
        model = ConditionalDensity(max_trees=20, random_state=0).fit(X, y)
        assert np.isfinite(model.score_samples(X, y)).all()


def test_integers_that_only_held_out_rows_have():
    table = pd.DataFrame(
        {"a": np.where(np.arange(8) == 0, 1.0, np.nan), "b": np.linspace(0, 1, 8)}
    )
    for seed in range(5):
        model = MixtureDensity(random_state=seed).fit(table.astype({"a": "Int64"}))
        assert np.isfinite(model.score_samples(table.astype({"a": "Int64"}))).all()
    filled = DensityImputer(random_state=0).fit_transform(table)
    assert not pd.DataFrame(filled).isna().any(axis=None)


def test_numbers_too_large_to_be_counted_are_no_integers():
    rng = np.random.default_rng(0)
    x = 1e300 * rng.normal(size=60)
    table = pd.DataFrame({"a": np.where(rng.random(60) < 0.3, np.nan, x), "b": x / 3})
    model = MixtureDensity(random_state=0).fit(table)
    assert np.isfinite(model.score_samples(table)).all()
    assert np.isfinite(DensityImputer(random_state=0).fit_transform(table)).all(
        axis=None
    )


def test_conditional_sampler_of_a_map_without_digits_in_the_units_of_the_table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) * [1.0, 1e300, 1e9]
    sampler = ConditionalSampler(Whitening().fit(X), n_proposals=100, random_state=0)
    holed = X[:3].copy()
    holed[:, 0] = np.nan
    assert np.isfinite(sampler.sample_conditional(holed, 5, random_state=0)).all()
    assert np.isfinite(sampler.score_samples(holed)).all()


def test_detector_names_a_column_that_is_too_wide():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    X[:, 1] = 1.7e308 * rng.choice([-1.0, 1.0], 50)
    with pytest.raises(ValueError, match="Column 1 ranges from"):
        OutlierDetector(random_state=0).fit(X)


@pytest.mark.parametrize("novelty", [False, True])
def test_outliers_among_rows_of_weights_that_are_nothing_beside_others(novelty):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(25, 2)), 10.0 ** rng.uniform(-200, 200, 25)
    model = OutlierDetector(novelty=novelty, random_state=0)
    model.fit(X, sample_weight=weight)
    assert np.isfinite(model.score_samples(X)).all()


# Equal rows are held out together: without one code, its column is constant.
CODES = one_hot(80, 3)
UNITS = np.array([64.0, 0.125, 512.0])
FAR = np.vstack([CODES, CODES - 9.0, [[0.5, 7.0, -80.0]]])


@pytest.mark.parametrize("novelty", [False, True])
def test_outliers_where_a_column_that_folds_leave_constant_has_a_unit(novelty):
    model = OutlierDetector(novelty=novelty, random_state=0)
    scores = model.fit(CODES).score_samples(FAR)
    moved = model.fit(CODES * UNITS).score_samples(FAR * UNITS)
    # The densities that are averaged have weights that add up to one.
    np.testing.assert_allclose(moved + np.log(UNITS).sum(), scores, rtol=1e-7)


@pytest.mark.parametrize("model", [None, SplineGaussianizer(), RegressionDestructor()])
def test_classes_of_which_a_column_is_constant_in_one(model):
    labels = CODES.argmax(axis=1) > 0
    model = DensityClassifier(model, random_state=0)
    log_odds = np.diff(model.fit(CODES, labels).predict_log_proba(FAR))
    moved = model.fit(CODES * UNITS, labels).predict_log_proba(FAR * UNITS)
    np.testing.assert_allclose(np.diff(moved), log_odds, rtol=1e-7, atol=1e-7)


def test_outliers_of_groups_that_lie_far_apart():
    # To 16 bits of the distance between them a group is one value.
    rng = np.random.default_rng(0)
    X = 1e6 * rng.integers(0, 3, size=(50, 1)) + rng.normal(size=(50, 1))
    model = OutlierDetector(random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert len(np.unique(model._folds.place(X))) == 5
