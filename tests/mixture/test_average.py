"""The mean of mixtures that were each fitted without one fold."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from destructors.compose import IterativeDestructor
from destructors.datasets import make_rings
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold, Rows

X = np.random.default_rng(0).normal(size=(400, 2)) @ [[1.0, 0.5], [0.0, 0.3]]


def test_two_halves_have_the_moments_of_all_rows():
    model = GaussianMixtureDestructor(
        1, n_folds=2, background=False, degrees_of_freedom_prior=0.0, reg_covar=0.0
    ).fit(X)
    assert model.n_components_ == 2
    means, covariances = model.means_, model.covariances_
    np.testing.assert_allclose(model.weights_, 0.5)
    np.testing.assert_allclose(means.mean(axis=0), X.mean(axis=0), atol=1e-12)
    second = (covariances + means[:, :, None] * means[:, None, :]).mean(axis=0)
    np.testing.assert_allclose(second, X.T @ X / len(X), rtol=1e-9)
    # Neither half is all rows.
    assert np.abs(means[0] - means[1]).max() > 1e-3


def test_it_is_a_mixture_with_one_background():
    model = GaussianMixtureDestructor(3, n_folds=4).fit(X)
    assert model.n_components_ == 12
    assert model.weights_.shape == (13,)
    peer = GaussianMixture(13)
    peer.weights_, peer.means_ = model.weights_, model.means_
    peer.covariances_ = model.covariances_
    roots = np.linalg.cholesky(np.linalg.inv(model.covariances_))
    peer.precisions_cholesky_ = roots
    np.testing.assert_allclose(model.score_samples(X), peer.score_samples(X), atol=1e-5)


def test_new_rows_are_denser_than_under_one_mixture():
    rows = make_rings(3000, random_state=7)
    single, mean = (
        GaussianMixtureDestructor(n_folds=n_folds, random_state=0).fit(rows[:500])
        for n_folds in (None, 5)
    )
    assert mean.score(rows[500:]) > single.score(rows[500:]) + 0.02
    assert set(mean.validation_score_) >= {1, 2, 4}


def test_rows_for_the_next_layer_are_mapped_by_the_mixture_that_has_not_seen_them():
    model = GaussianMixtureDestructor(20, n_folds=2, random_state=0)
    after = model._fit_rows(Fold(Rows.of(X)), onwards=True)
    base = model.base_distribution_
    handed_on = base.logpdf(after.train.values) + after.train.log_det
    assert handed_on.mean() < model.score(X) - 0.02


def test_held_out_rows_that_are_given_choose_alone():
    model = GaussianMixtureDestructor([1, 2], n_folds=3).fit(X[:200], X_val=X[200:])
    assert model.n_components_ in (1, 2)


def test_a_stack_that_is_grown_by_folds_ends_on_the_mean():
    stack = IterativeDestructor(
        GaussianMixtureDestructor(2, n_folds=3), max_iter=1, cv=3, random_state=0
    ).fit(make_rings(200, random_state=0))
    assert stack.layers_[0].n_components_ == 6


def test_in_a_stack_the_mean_of_all_rows_chooses_its_number_by_its_own_folds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2)) + 4.0 * rng.integers(2, size=(600, 2))
    mixture = GaussianMixtureDestructor([1, 2, 4, 8], n_folds=3, random_state=0)
    stack = IterativeDestructor(mixture, max_iter=1, cv=3, random_state=0).fit(X)
    [layer] = stack.layers_
    # What single mixtures chose on the folds of the stack is no number of the mean.
    assert set(layer.validation_score_) >= {1, 2, 4}
    assert layer.n_components_ >= 3 * 4


def test_tied_covariances_have_no_mean():
    with pytest.raises(ValueError, match="n_folds takes the mean"):
        GaussianMixtureDestructor(2, covariance_type="tied", n_folds=2).fit(X)


def test_fewer_rows_than_folds_have_a_single_mixture():
    few = np.random.default_rng(0).normal(size=(3, 2))
    one = GaussianMixtureDestructor(1, random_state=0).fit(few)
    many = GaussianMixtureDestructor(1, n_folds=5, random_state=0).fit(few)
    np.testing.assert_array_equal(many.score_samples(few), one.score_samples(few))
