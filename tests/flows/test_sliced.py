"""Sliced flows: likelihood, layers, and few rows."""

import os
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from destructors.compose import SlicedGaussianizer
from destructors.datasets import load_density
from destructors.exceptions import DataWarning
from destructors.flows import RBIG, SlicedGaussianization
from destructors.linear import Whitening


@pytest.fixture(scope="module")
def rings():
    """Rows whose dependence no linear map and no marginal removes."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 3000), rng.normal(3, 0.3, 3000)
    return np.c_[radius * np.cos(angle), radius * np.sin(angle)]


@pytest.fixture(scope="module")
def fitted(rings):
    return SlicedGaussianization(random_state=0).fit(rings[:2000])


def test_a_ring_is_learned(fitted, rings):
    # The density of a radius r is N(r; 3, 0.3) / (2 π r).
    truth = 0.5 * np.log(2 * np.pi * np.e * 0.09) + np.log(2 * np.pi) + np.log(3)
    assert fitted.score(rings[2000:]) > -truth - 0.15


def test_whitening_comes_first_and_slices_after_it(fitted):
    first, *others = fitted.layer_names_
    assert first in ("whitening", "copula")
    assert set(others) == {"sliced"}
    assert fitted[:3].layer_names_ == fitted.layer_names_[:3]


def test_information_is_what_layers_gain_on_training_rows(fitted):
    assert fitted.information_.shape == (fitted.n_iter_,)
    total = fitted.train_score_[-1] - fitted.train_score_[0]
    assert fitted.information_.sum() == pytest.approx(total)
    assert fitted[:2].information_ == pytest.approx(fitted.information_[:2])


@pytest.mark.parametrize("criterion", ["wasserstein", "negentropy"])
def test_on_few_rows_of_a_normal_it_is_no_worse_than_a_normal(criterion):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 6))
    X, new = rng.normal(size=(150, 6)) @ A, rng.normal(size=(2000, 6)) @ A
    layer = SlicedGaussianizer(criterion=criterion)
    model = SlicedGaussianization(layer, cv=3, random_state=0).fit(X)
    assert model.score(new) > Whitening().fit(X).score(new) - 0.1


def test_no_direction_takes_in_a_constant_column(rings):
    """It is as far from normal as can be, but there is nothing to learn along it."""
    rows = rings[:500]
    beside = np.insert(rows, 1, 3.0, axis=1)
    layer = SlicedGaussianizer(max_samples=None, random_state=0)
    alone, with_it = clone(layer).fit(rows), layer.fit(beside)
    np.testing.assert_array_equal(with_it.directions_[1], 0.0)
    np.testing.assert_array_equal(with_it.directions_[[0, 2]], alone.directions_)
    flow = SlicedGaussianization(max_iter=4, random_state=0)
    assert (flow.fit_transform(beside)[:, 1] == 0.0).all()


def test_it_goes_on_from_the_layers_that_are_there(rings):
    params = {"early_stopping": False, "random_state": 0, "warm_start": True}
    model = SlicedGaussianization(max_iter=2, **params).fit(rings[:500])
    model.set_params(max_iter=4).fit(rings[:500])
    whole = SlicedGaussianization(max_iter=4, **params).fit(rings[:500])
    np.testing.assert_allclose(model.transform(rings), whole.transform(rings))


# What the reference code reaches; on all sets a fifth of the layers is enough.
REFERENCE = {"wilt": -3.617, "satellite": 3.055, "protein": -1.145, "shuttle": 6.619}


@pytest.mark.skipif(
    "DESTRUCTORS_DATA" not in os.environ,
    reason="the environment variable DESTRUCTORS_DATA names no folder of data sets",
)
@pytest.mark.parametrize("name", REFERENCE)
def test_likelihood_of_new_rows(name):
    data = load_density(name)
    flow = SlicedGaussianization(max_iter=20, random_state=0)
    model = flow.fit(data.train, X_val=data.val)
    assert model.score(data.test) > REFERENCE[name]
    if name == "wilt":
        rbig = RBIG(max_iter=20, random_state=0).fit(data.train, X_val=data.val)
        assert model.score(data.test) > rbig.score(data.test)
    Z = model.transform(data.test)
    np.testing.assert_allclose(model.inverse_transform(Z), data.test, atol=1e-8)


@pytest.mark.parametrize("n_codes", [3, 8])
def test_layers_that_use_up_the_digits_of_collinear_rows_end_without_a_warning(n_codes):
    X = np.eye(n_codes)[np.random.default_rng(0).integers(0, n_codes, 100)]
    model = SlicedGaussianization(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DataWarning)
        model.fit(X)
    assert model.n_iter_ > 0
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, atol=1e-6)
