"""A mixture whose conditional densities trees correct."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.autoregressive import AutoregressiveDestructor
from destructors.datasets import make_rings
from destructors.flows import TreeFlow
from destructors.mixture import (
    BoostedMixtureDestructor,
    GaussianMixtureDestructor,
    _boosting,
)


def draw_steps(n_rows, seed=0):
    """Draw a number and the half next to it: on a narrow lattice given the number."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    step = np.round(x) + rng.choice([-0.5, 0.5], n_rows)
    return np.c_[x, step + rng.uniform(-0.05, 0.05, n_rows)]


def test_trees_find_a_lattice_that_the_mixture_smears():
    X, new = draw_steps(4000), draw_steps(4000, 1)
    mixture = GaussianMixtureDestructor(8, random_state=0).fit(X)
    model = BoostedMixtureDestructor(8, random_state=0).fit(X)
    assert model.n_trees_[1] > 0
    assert model.score(new) > mixture.score(new) + 0.3
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(new)), new, atol=1e-6
    )
    # Fewer of the rows that are drawn stand off the lattice.
    off = [
        np.mean(np.abs(each.sample(4000, random_state=0)[:, 1] % 1.0 - 0.5) > 0.1)
        for each in (model, mixture)
    ]
    assert off[0] < 0.5 * off[1]


def test_nothing_is_added_to_what_the_mixture_knows():
    """Held-out rows choose: of a Gaussian there is nothing to correct."""
    X = np.random.default_rng(0).normal(size=(3000, 4))
    mixture = GaussianMixtureDestructor(1, random_state=0).fit(X)
    model = BoostedMixtureDestructor(1, random_state=0).fit(X)
    new = np.random.default_rng(1).normal(size=(3000, 4))
    assert model.n_trees_.sum() <= 3
    assert model.score(new) > mixture.score(new) - 0.005


def test_the_mixture_is_that_of_its_base():
    X = draw_steps(2000)
    mixture = GaussianMixtureDestructor(4, random_state=0).fit(X)
    model = BoostedMixtureDestructor(4, random_state=0).fit(X)
    np.testing.assert_array_equal(model.means_, mixture.means_)


@pytest.mark.parametrize("n_rows", [30, 399])
def test_few_rows_tell_trees_nothing(n_rows):
    model = BoostedMixtureDestructor(2, random_state=0).fit(draw_steps(n_rows))
    assert not model.n_trees_.any()


def test_weights_are_repeats():
    X = draw_steps(1500)
    weights = np.random.default_rng(0).integers(1, 4, len(X))
    model = BoostedMixtureDestructor(4, random_state=0)
    weighted = clone(model).fit(X, sample_weight=weights)
    repeated = clone(model).fit(np.repeat(X, weights, axis=0))
    assert weighted.n_trees_.any()
    np.testing.assert_allclose(
        weighted.score_samples(X), repeated.score_samples(X), atol=1e-6
    )


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.0), (8.0, -3.0), (1e3, 1e4)])
def test_units_do_not_matter(scale, shift):
    X = draw_steps(1500)
    model = BoostedMixtureDestructor(4, random_state=0)
    there = clone(model).fit(scale * X + shift).score_samples(scale * X + shift)
    here = clone(model).fit(X).score_samples(X)
    np.testing.assert_allclose(there, here - 2.0 * np.log(scale), atol=1e-6)


def test_an_outlier_and_huge_weights_do_no_harm():
    X, new = draw_steps(2000), draw_steps(2000, 1)
    weights = np.ones(len(X))
    model = BoostedMixtureDestructor(8, random_state=0)
    plain = clone(model).fit(X).score(new)
    X[0] = 1e9
    assert clone(model).fit(X).score(new) > plain - 0.2
    weights[1] = 1e200
    fitted = clone(model).fit(X, sample_weight=weights)
    assert np.isfinite(fitted.score_samples(new)).all()


def test_rings_are_no_worse():
    X, new = (make_rings(2000, random_state=seed) for seed in (0, 1))
    mixture = GaussianMixtureDestructor(16, random_state=0).fit(X)
    model = BoostedMixtureDestructor(16, random_state=0).fit(X)
    assert model.score(new) > mixture.score(new) - 0.01


def test_a_trial_of_several_starts_boosts_none(monkeypatch):
    """It only tells which of them is worth to be fitted to all rows."""
    boosted = []

    def boost(rows, *args, boost=_boosting.boost):
        boosted.append(len(rows))
        return boost(rows, *args)

    # Doctests may have imported the module of the class once more.
    monkeypatch.setitem(BoostedMixtureDestructor._fit.__globals__, "boost", boost)
    X = np.exp(np.random.default_rng(0).normal(size=(12_000, 2)))
    TreeFlow(n_components=2, max_trees=2, cv=None, random_state=0).fit(X)
    # On a tenth of the rows the mixture without marginals was far behind.
    assert len(boosted) == 1
    assert boosted[0] > 5000


def test_an_autoregressive_destructor_takes_it():
    """Its order is then the one of the columns, whichever follows the other."""
    X, new = draw_steps(2000)[:, ::-1], draw_steps(2000, 1)[:, ::-1]
    model = AutoregressiveDestructor(BoostedMixtureDestructor(4, random_state=0))
    model.fit(X)
    mixture = AutoregressiveDestructor(GaussianMixtureDestructor(4, random_state=0))
    assert model.score(new) > mixture.fit(X).score(new) + 0.1


@pytest.mark.parametrize("value", [0.0, 1.0, 7.3, 1e5])
def test_trees_leave_a_constant_to_the_mixture(value):
    """It lay on all edges, and half a bin took its mass: 10 nats on the way back."""
    rng = np.random.default_rng(0)
    X = np.c_[np.full(500, value), rng.lognormal(3.0, 1.0, 500).round(2)]
    model = BoostedMixtureDestructor(random_state=0).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-6)
    np.testing.assert_allclose(Z[:, 0], 0.0, atol=1e-6)
