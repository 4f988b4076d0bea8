"""IterativeDestructor and the units of columns: the default has none of its own."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.linear import Standardize, Whitening
from destructors.marginal import SplineGaussianizer
from tests.compose.test_iterative import Halve


def few(seed, n_rows, n_features=2):
    # Sixteenths: what is added to them below changes no digit.
    rng = np.random.default_rng(seed)
    return np.round(16 * rng.normal(size=(n_rows, n_features))) / 16


@pytest.mark.parametrize("selection", ["best", "cycle"])
@pytest.mark.parametrize("n_rows", [2, 5, 12, 30])
@pytest.mark.parametrize("seed", range(3))
def test_scores_do_not_depend_on_units(selection, n_rows, seed):
    X = few(seed, n_rows)
    model = IterativeDestructor(selection=selection, random_state=seed)
    scores = clone(model).fit(X).score_samples(X)
    for scale, shift in ((1.0, 1e9), (2.0**-20, 0.0), (2.0**30, -3.0)):
        moved = (X + shift) * scale
        found = clone(model).fit(moved).score_samples(moved)
        expected = scores - X.shape[1] * np.log(scale)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_where_no_other_layer_gains_there_is_a_normal():
    X = np.random.default_rng(7).normal(size=(3000, 3)) * [1e-6, 1.0, 1e6] + 1e3
    model = IterativeDestructor(random_state=0).fit(X[:120], X_val=X[120:])
    assert model.layer_names_ == ["standardize"]
    normal = Standardize().fit(X[:120])
    np.testing.assert_allclose(model.score_samples(X), normal.score_samples(X))


@pytest.mark.parametrize("early_stopping", [True, False])
def test_layers_that_are_given_are_the_only_ones(early_stopping):
    X = np.random.default_rng(0).normal(5.0, 8.0, (400, 2))
    layers = [("half", Halve()), ("spline", SplineGaussianizer())]
    model = IterativeDestructor(
        layers, early_stopping=early_stopping, max_iter=3, random_state=0
    ).fit(X)
    assert set(model.layer_names_) <= {"half", "spline"}


def test_behind_other_layers_nothing_may_be_added():
    X = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 1e5] + 1e6
    model = make_destructor_pipeline(Whitening(), IterativeDestructor(random_state=0))
    stack = model.fit(X)[-1]
    assert "standardize" not in stack.layer_names_
    loss = stats.norm.logpdf(X, 1e6, [1.0, 1e5]).sum(axis=1).mean() - model.score(X)
    assert loss < 0.05


def test_all_rows_are_trained_on_without_early_stopping():
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = IterativeDestructor(max_iter=2, early_stopping=False, random_state=0)
    assert set(model.fit(X).layer_names_) <= {"pca", "random"}


def test_it_goes_on_from_standard_units():
    X = np.random.default_rng(6).normal(size=(150, 3)) * 1e3
    model = IterativeDestructor(random_state=0, warm_start=True, max_iter=1)
    first = model.fit(X).layers_[0]
    again = model.set_params(max_iter=3).fit(X)
    assert again.layer_names_ == ["standardize", "pca", "pca"]
    assert again.layers_[0] is first
