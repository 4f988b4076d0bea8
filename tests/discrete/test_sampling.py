"""Samples of categories: the learned density, given that all categories are known."""

from itertools import product

import numpy as np
import pytest

import destructors
from destructors.base_distributions import (
    ChowLiuTree,
    IndependentCategorical,
    JointDistribution,
    StandardNormal,
)
from destructors.compose import CategoryDequantizer, ColumnDestructor
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.flows import DiscreteTreeFlow
from destructors.marginal import SplineGaussianizer

MODELS = {
    "independent": CategoricalBase(structure="independent", random_state=0),
    "chow-liu": CategoricalBase(structure="chow-liu", random_state=0),
    "permutation": TreePermutation(random_state=0),
    "permutation-chow-liu": TreePermutation(base="chow-liu", random_state=0),
    "random": TreePermutation(splitter="random", min_gain=0.0, random_state=0),
    "flow": DiscreteTreeFlow(random_state=0),
}


def dependent(n_rows=60):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, n_rows)
    second = np.where(rng.random(n_rows) < 0.8, first, rng.integers(0, 3, n_rows))
    return np.c_[first, second, (first + second + (rng.random(n_rows) < 0.1)) % 2]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_samples_follow_the_density_among_known_rows(name, weighted):
    X = dependent()
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    model = MODELS[name].fit(X, sample_weight=weight)
    cells = np.array(list(product(range(3), range(3), range(2))))
    expected = np.exp(model.score_samples(cells))
    # The rest is the share of rows with a category that was not seen.
    assert 0.0 < 1.0 - expected.sum() < 0.5
    samples, n_samples = model.sample(40_000, random_state=0), 40_000
    found = (samples[:, None] == cells).all(axis=2).sum(axis=0)
    assert found.sum() == n_samples
    expected *= n_samples / expected.sum()
    assert ((found - expected) ** 2 / expected).sum() < 45.0  # 17 degrees of freedom


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "X",
    [
        np.random.default_rng(0).integers(0, 2, (2, 40)),
        np.zeros((9, 3), int),
        np.arange(40)[:, None] * [1, 1],
    ],
    ids=["two rows", "constant", "numbers of rows"],
)
def test_samples_hold_what_was_seen(name, X):
    samples = MODELS[name].fit(X).sample(50, random_state=0)
    for column, drawn in zip(X.T, samples.T, strict=True):
        assert set(drawn.tolist()) <= set(column.tolist())


def test_a_thousand_columns():
    X = np.random.default_rng(0).integers(0, 3, (10, 1000))
    samples = CategoricalBase(structure="independent", alpha=10.0).fit(X).sample(5)
    assert (samples <= X.max(axis=0)).all()


def test_a_single_row():
    model = CategoricalBase(random_state=0).fit([["a", "b"]])
    assert model.sample(3).tolist() == [["a", "b"]] * 3


@pytest.mark.parametrize("name", MODELS)
def test_what_was_not_seen_stays_unseen_in_the_latent_space(name):
    X = dependent()
    model = MODELS[name].fit(X)
    codes = np.array([3, 3, 2])
    assert model.map_.keeps(codes).all()
    strange = X.copy()
    strange[:, 1] = 7
    assert (model.transform(strange)[:, 1] == 3).all()


def test_codes_are_left_out_exactly():
    rng = np.random.RandomState(0)
    tree = ChowLiuTree(
        [1, -1, 1],
        [
            rng.dirichlet(np.ones(3), 2),
            rng.dirichlet(np.ones(2)),
            rng.dirichlet(np.ones(4), 2),
        ],
    )
    codes = np.array([2, -1, 0])
    Z = tree.sample_without(50_000, rng, codes)
    assert (codes != Z).all()
    cells = np.array(list(product(range(2), range(2), range(1, 4))))
    expected = np.exp(tree.logpdf(cells))
    found = (Z[:, None] == cells).all(axis=2).mean(axis=0)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.01)


def test_a_distribution_of_both_kinds_leaves_codes_out():
    half = IndependentCategorical([[0.5, 0.25, 0.25]])
    joint = JointDistribution((StandardNormal(1), half), ([0], [1]))
    Z = joint.sample_without(1000, np.random.RandomState(0), np.array([-1, 0]))
    assert set(Z[:, 1]) == {1.0, 2.0}
    with pytest.raises(ValueError, match="Feature 0 has no other code"):
        IndependentCategorical([[1.0]]).sample_without(
            1, np.random.RandomState(0), np.array([0])
        )


def test_categories_beside_numbers_are_drawn_at_once():
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=4), rng.integers(0, 2, (4, 30))]
    model = ColumnDestructor(
        [("numbers", SplineGaussianizer(), [0])], CategoricalBase(random_state=0)
    ).fit(X)
    samples = model.sample(20, random_state=0)
    assert (samples[:, 1:] <= X[:, 1:].max(axis=0)).all()


def test_what_nothing_but_unseen_rows_can_be_drawn_from_says_so(monkeypatch):
    monkeypatch.setattr("destructors.maps._density._MOST_DRAWS", 3)
    X = np.random.default_rng(0).integers(0, 2, (2, 60))
    model = CategoryDequantizer(range(60), alpha=50.0, random_state=0).fit(X)
    with pytest.raises(ValueError, match="not seen in fit"):
        model.sample(1)


@pytest.mark.parametrize("largest", [1e17, 1e20, 1e300])
def test_large_weights_are_divided_among_held_out_and_other_rows(largest, tmp_path):
    X = dependent()
    weight = np.r_[largest, np.ones(len(X) - 1)]
    model = CategoricalBase(random_state=0).fit(X, sample_weight=weight)
    assert np.exp(model.score_samples(X[:1])) > 0.99
    destructors.save(model, tmp_path / "model.npz")
    assert destructors.load(tmp_path / "model.npz") == model.to_density()
