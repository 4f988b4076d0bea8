"""Classes by their densities: Bayes' rule, and rows that are like none."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from destructors.estimators import DensityClassifier
from destructors.linear import Whitening


def draw(n_samples, seed):
    """Two normals of equal covariance, three apart along the first column."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_samples)
    X = rng.normal(size=(n_samples, 2))
    X[:, 0] += 3.0 * y
    return X, y


@pytest.fixture(scope="module")
def model():
    return DensityClassifier(Whitening(), reject=0.05).fit(*draw(4000, 0))


def test_log_odds_are_those_of_two_normals(model):
    X, _ = draw(200, 1)
    odds = np.diff(model.predict_log_proba(X))[:, 0]
    near = np.abs(X[:, 0] - 1.5) < 2.0
    expected = 3.0 * X[near, 0] - 4.5
    np.testing.assert_allclose(odds[near], expected, atol=0.6)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_priors_shift_the_log_odds(model):
    X, y = draw(4000, 0)
    other = DensityClassifier(Whitening(), priors=[0.9, 0.1]).fit(X, y)
    shift = np.diff(other.predict_log_proba(X)) - np.diff(model.predict_log_proba(X))
    prior = model.class_prior_
    expected = np.log(0.1 / 0.9) - np.log(prior[1] / prior[0])
    np.testing.assert_allclose(shift, expected, atol=1e-8)


def test_the_density_of_rows_is_that_of_the_classes_together(model):
    X, _ = draw(50, 2)
    parts = [one.score_samples(X) for one in model.estimators_]
    together = np.exp(parts).T @ model.class_prior_
    np.testing.assert_allclose(np.exp(model.score_samples(X)), together)


def test_of_new_rows_the_share_wanted_is_rejected(model):
    X, y = draw(20_000, 3)
    found = model.predict(X)
    assert 0.04 < np.mean(found == -1) < 0.06
    kept = found != -1
    assert np.mean(found[kept] == y[kept]) > 0.92
    assert model.predict([[30.0, 30.0]])[0] == -1


def test_labels_can_be_strings():
    X, y = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    model = DensityClassifier(
        Whitening(),
        reject=0.1,
        reject_label="none of these",
        random_state=0,
    )
    found = model.fit(X, labels).predict(X)
    assert set(found) == {"setosa", "versicolor", "virginica", "none of these"}
    plain = model.set_params(reject=None).fit(X, labels)
    assert plain.score(X, labels) > 0.95


def test_rows_of_weight_zero_count_for_nothing():
    X, y = draw(300, 4)
    weight = np.where(np.arange(300) < 200, 1.0, 0.0)
    weighted = DensityClassifier(Whitening()).fit(X, y, sample_weight=weight)
    cut = DensityClassifier(Whitening()).fit(X[:200], y[:200])
    np.testing.assert_allclose(weighted.predict_proba(X), cut.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"priors": [0.5, 0.2]}, "probabilities of sum 1"),
        ({"priors": [1.0]}, "one entry for each of the 2 classes"),
        ({"reject": 1.5}, "reject"),
        ({"reject": 0.1, "reject_label": 1}, "label of a class"),
        ({"reject": 0.1, "reject_label": "none"}, "of another kind"),
        ({"destructor": "normal"}, "destructor"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        DensityClassifier(**params).fit(*draw(50, 5))


def test_a_class_of_too_few_rows_is_named():
    X, y = draw(50, 6)
    y[:] = 0
    y[7] = 1
    with pytest.raises(ValueError, match=r"class 1, with 1 row"):
        DensityClassifier(Whitening()).fit(X, y)
