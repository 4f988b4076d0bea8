"""A few rows far out, or one row that fills the table, and what they leave to fits."""

import numpy as np
import pytest

from destructors.estimators import MixtureDensity
from destructors.flows import AutoDestructor, TreeFlow
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold, Rows


def make_clusters(rng, n_samples):
    """Three clusters in columns of unlike units."""
    centers = np.array([[0, 0, 0], [4, 1, 0], [-2, 4, 1]])
    noise = rng.normal(size=(n_samples, 3)) @ [[1, 0.5, 0], [0, 0.4, 0.2], [0, 0, 0.3]]
    return (centers[rng.integers(3, size=n_samples)] + noise) * [1, 100, 0.01] + 5


@pytest.mark.parametrize(
    ("model", "size", "n_rows"),
    [
        (GaussianMixtureDestructor(), 1e3, 1),
        (GaussianMixtureDestructor(), 1e7, 5),
        (GaussianMixtureDestructor(), 1e12, 5),
        (TreeFlow(max_trees=20, cv=2), 1e7, 5),
    ],
    ids=str,
)
def test_a_few_rows_far_out_do_not_wreck_the_others(model, size, n_rows):
    rng = np.random.default_rng(n_rows)
    X, new = make_clusters(rng, 1500), make_clusters(rng, 1500)
    model.set_params(random_state=0)
    clean = model.fit(X).score(new)
    X[:n_rows] *= size * rng.normal(size=(n_rows, 3))
    assert model.fit(X).score(new) > clean - 0.05
    back = model.inverse_transform(model.transform(X))
    assert (np.abs(back - X) <= 1e-6 * np.abs(X).max(axis=0)).all()
    assert np.isfinite(model.score_samples(X)).all()


def test_one_held_out_row_does_not_choose_the_layers():
    # The mean held-out score is that of the first row, whatever becomes of the others.
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(600, 2)), rng.normal(size=(600, 2))
    X[0, 0] = 1e7
    model = AutoDestructor(max_iter=3, cv=2, random_state=0).fit(X)
    assert model.validation_score_[-1] < -1e9
    # The truth is -2.84; with the layers that the one row likes it is below -4.
    assert model.score(new) > -3.0


@pytest.mark.parametrize("size", [1e7, 1e300])
def test_one_held_out_row_does_not_choose_the_marginals(size):
    # The mixtures that it likes know all other values of its column as one.
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(200, 2)), rng.normal(size=(200, 2))
    X[0, 0] = size
    model = MixtureDensity([1, 2], random_state=0).fit(X)
    # The truth is -2.84.
    assert model.score(new) > -3.2
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-6, atol=1e-9)


def test_two_rows_far_out_do_not_choose_the_number_of_classes():
    rng = np.random.default_rng(2)
    X, new = make_clusters(rng, 300), make_clusters(rng, 1000)
    clean = MixtureDensity(random_state=0).fit(X[2:])
    X[:2] *= 1e12
    model = MixtureDensity(random_state=0).fit(X)
    # The one of them that is held out likes a single class, which costs the others 1.5.
    assert model.n_components_ == clean.n_components_
    assert model.score(new) > clean.score(new) - 0.6


@pytest.mark.parametrize("share", [0.5, 0.65, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("n_atoms", [1, 3])
def test_a_few_rows_may_fill_most_of_the_table(share, n_features, n_atoms):
    # A mixture that has not seen such a row may have lost all its components.
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, is_atom = rng.lognormal(size=(100, n_features)), rng.random(100) < share
        atoms = rng.normal(size=(n_atoms, n_features))
        X[is_atom] = atoms[rng.integers(n_atoms, size=is_atom.sum())]
        model = GaussianMixtureDestructor(2, random_state=seed)
        after = model._fit_rows(Fold(Rows.of(X)), onwards=True).train
        assert np.isfinite(after.values).all()
        assert np.isfinite(after.log_det).all()
        back = model.map_.inverse(model.map_.forward(X)[0])[0]
        np.testing.assert_allclose(back, X, rtol=1e-6, atol=1e-9)


def test_flow_of_a_table_that_one_row_fills():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((100, 1)) < 0.8, 0.0, rng.lognormal(size=(100, 3)))
    model = TreeFlow(max_trees=5, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-6, atol=1e-9)
