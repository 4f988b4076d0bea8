"""Outliers: a rate of false alarms that is kept, and columns that are to blame."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from destructors.estimators import OutlierDetector
from destructors.linear import Whitening
from destructors.mixture import GaussianMixtureDestructor

COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])


def draw(n_samples, seed):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(np.zeros(3), COVARIANCE, size=n_samples)


@pytest.fixture(scope="module")
def X():
    return draw(2000, 0)


@pytest.fixture(scope="module")
def detector(X):
    return OutlierDetector(Whitening(), random_state=0).fit(X)


# ---------------------------------------------------------------- false alarms


def test_of_the_training_rows_exactly_the_contamination_is_flagged(detector, X):
    assert (detector.predict(X) == -1).sum() == 100
    scores = np.sort(detector.score_samples(X))
    np.testing.assert_array_equal(scores, detector.calibration_scores_)


def test_of_new_rows_the_contamination_is_flagged(detector):
    alarms = np.mean(detector.predict(draw(20_000, 1)) == -1)
    assert 0.04 < alarms < 0.06


def test_a_density_that_learns_rows_by_heart_raises_no_more_alarms():
    X, new = draw(300, 0), draw(4000, 1)
    greedy = GaussianMixtureDestructor(
        12, background=False, degrees_of_freedom_prior=0.0, random_state=0
    )
    own = greedy.fit(X).score_samples(X)
    naive = np.mean(greedy.score_samples(new) < np.quantile(own, 0.05))
    detector = OutlierDetector(greedy, random_state=0).fit(X)
    kept = np.mean(detector.predict(new) == -1)
    assert naive > 0.1
    assert 0.02 < kept < 0.08


def test_p_values_of_new_rows_are_uniform(detector):
    p = np.sort(detector.p_values(draw(5000, 2)))
    assert np.abs(p - np.arange(1, 5001) / 5000).max() < 0.05
    assert p.min() >= 1 / 2001


def test_outliers_among_the_training_rows_do_not_hide(X):
    strange = np.array([[2.0, -2.0, 0.0]]) + 0.01 * draw(20, 3)
    both = np.concatenate([X, strange])
    model = OutlierDetector(Whitening(), contamination=0.01, random_state=0).fit(both)
    assert (model.predict(both)[-20:] == -1).all()


def test_the_default_sees_what_breaks_a_relation_and_no_spike_hides_it():
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    repeats = np.where(rng.uniform(size=600) < 0.5, 0.0, rng.normal(size=600))
    X = np.c_[x, x + 0.1 * rng.normal(size=600), repeats]
    model = OutlierDetector(random_state=0).fit(X)
    strange = np.array([[1.5, -1.5, 0.0], [0.0, 0.0, 9.0], [1e6, 0.0, 0.0]])
    assert (model.predict(strange) == -1).all()
    assert (model.p_values(strange) < 0.01).all()
    assert np.isfinite(model.score_samples(strange)).all()
    assert model.explain(strange[:2]).argmax(axis=1)[1] == 2


def test_the_default_takes_rows_on_lattices_and_rows_far_out():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(150, 4)).astype(float)
    X[0] = 1e7
    model = OutlierDetector(n_folds=2, contamination=0.01, random_state=0).fit(X)
    assert model.predict(X)[0] == -1
    assert np.isfinite(model.score_samples(X * 1e200)).all()


# ---------------------------------------------------------------- columns


def test_nats_by_column_are_those_of_a_normal():
    detector = OutlierDetector(Whitening(), random_state=0).fit(draw(50_000, 0))
    rows = draw(50, 4)
    precision = np.linalg.inv(COVARIANCE)
    # Residuals given the other columns, in units of their standard deviation.
    residual = (rows @ precision) / np.sqrt(np.diag(precision))
    expected = 0.5 * (residual**2 - 1.0)
    np.testing.assert_allclose(detector.explain(rows), expected, rtol=0.06, atol=0.06)


def test_nats_by_column_are_the_same_in_all_units(detector, X):
    units = np.array([1e-3, 50.0, 1.0])
    other = clone(detector).fit(X * units)
    rows = draw(5, 5)
    np.testing.assert_allclose(
        other.explain(rows * units), detector.explain(rows), atol=0.02
    )


# ---------------------------------------------------------------- contract


def test_integer_weights_are_repeats():
    X = draw(200, 6)
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    model = OutlierDetector(Whitening(), random_state=0)
    weighted = clone(model).fit(X, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-8
    )
    np.testing.assert_allclose(weighted.p_values(X), repeated.p_values(X))


def test_results_do_not_depend_on_n_jobs_and_survive_pickling(detector, X):
    other = clone(detector).set_params(n_jobs=2).fit(X)
    again = pickle.loads(pickle.dumps(other))
    np.testing.assert_array_equal(again.predict(X), detector.predict(X))
    np.testing.assert_array_equal(again.score_samples(X), detector.score_samples(X))


def test_names_of_columns_are_kept_and_checked(X):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = OutlierDetector(Whitening(), random_state=0).fit(frame)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["c", "b", "a"]])


def test_a_set_seed_of_the_destructor_is_kept(X):
    mixture = GaussianMixtureDestructor(1, random_state=7)
    model = OutlierDetector(mixture, random_state=0).fit(X[:50])
    assert {one.random_state for one in model.estimators_} == {7}
    assert mixture.random_state == 7


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({"contamination": 0.0}, np.eye(5), "contamination"),
        ({"contamination": 0.6}, np.eye(5), "contamination"),
        ({"n_folds": 1}, np.eye(5), "n_folds"),
        ({"destructor": "mixture"}, np.eye(5), "destructor"),
        ({}, np.ones((9, 2)), r"Only 1 of the rows \(n_samples=9\) differ"),
        ({}, [[np.nan, 1.0]] * 5, "NaN"),
    ],
)
def test_bad_input_is_named(params, X, message):
    with pytest.raises(ValueError, match=message):
        OutlierDetector(**params).fit(X)


def test_bad_weights_are_named(X):
    model = OutlierDetector(Whitening())
    with pytest.raises(ValueError, match="Sample weights must contain"):
        model.fit(X, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, sample_weight=-np.ones(len(X)))
