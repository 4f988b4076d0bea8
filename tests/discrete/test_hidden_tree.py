"""Hidden trees and mixtures of codes against sums over all rows and states."""

from itertools import product

import numpy as np
import pytest

from destructors import load
from destructors.base_distributions import (
    ChowLiuTree,
    HiddenTree,
    IndependentCategorical,
    Mixture,
)
from destructors.discrete import CategoricalBase, _hidden_tree
from destructors.flows import DiscreteTreeFlow

SIZES = (2, 3, 2, 4)
CELLS = np.array(list(product(*map(range, SIZES))))


def hidden_tree(seed=0):
    """A tree of four features in which numbers of states differ."""
    rng = np.random.RandomState(seed)
    parents, states = [1, -1, 1, 2], [2, 3, 2, 4]
    transitions = [
        rng.dirichlet(np.ones(k), *([states[p]] if p >= 0 else []))
        for p, k in zip(parents, states, strict=True)
    ]
    emissions = [
        rng.dirichlet(np.ones(k), n) for n, k in zip(states, SIZES, strict=True)
    ]
    return HiddenTree(parents, transitions, emissions)


def mixture():
    rng = np.random.RandomState(1)
    alone = IndependentCategorical([rng.dirichlet(np.ones(k)) for k in SIZES])
    conditionals = [rng.dirichlet(np.ones(2))]
    conditionals += [rng.dirichlet(np.ones(k), 2) for k in SIZES[1:]]
    pairs = ChowLiuTree([-1, 0, 0, 0], conditionals)
    return Mixture([0.2, 0.3, 0.5], (alone, pairs, hidden_tree(2)))


def classes(n_samples, seed=0):
    """Eight columns of three categories that depend on one of three classes."""
    shares = np.random.default_rng(7).dirichlet(np.full(3, 0.3), size=(3, 8))
    rng = np.random.default_rng(seed)
    drawn = rng.choice(3, n_samples, p=[0.5, 0.3, 0.2])
    ends = shares.cumsum(axis=2)[drawn]
    return (rng.uniform(size=(n_samples, 8, 1)) > ends[:, :, :-1]).sum(axis=2)


@pytest.fixture
def short_search(monkeypatch):
    """End the search after the first size."""
    monkeypatch.setattr(_hidden_tree, "_MOST_WORK", 1.0)


# ------------------------------------------------------------------ distributions


def test_probability_is_the_sum_over_hidden_states():
    base = hidden_tree()
    expected = np.zeros(len(CELLS))
    for states in product(*(range(len(e)) for e in base.emissions)):
        share = np.ones(len(CELLS))
        for j, (parent, p, e) in enumerate(
            zip(base.parents, base.transitions, base.emissions, strict=True)
        ):
            move = p[states[j]] if parent < 0 else p[states[parent], states[j]]
            share = share * move * e[states[j], CELLS[:, j]]
        expected += share
    np.testing.assert_allclose(np.exp(base.logpdf(CELLS)), expected, rtol=1e-12)
    assert expected.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_marginal_is_the_joint_summed():
    base = hidden_tree()
    joint = np.exp(base.logpdf(CELLS)).reshape(SIZES)
    rows = np.array([[i, np.nan, np.nan, k] for i in range(2) for k in range(4)])
    expected = joint.sum(axis=(1, 2)).ravel()
    np.testing.assert_allclose(np.exp(base.logpdf(rows)), expected, rtol=1e-12)
    assert base.logpdf(np.full((1, 4), np.nan))[0] == pytest.approx(0.0, abs=1e-12)


def test_a_hub_of_many_features_multiplies_no_message_away():
    d = 400
    sure = [[1.0 - 1e-9, 1e-9], [1e-9, 1.0 - 1e-9]]
    moves = [[0.5, 0.5], *[[[0.9, 0.1], [0.1, 0.9]]] * (d - 1)]
    base = HiddenTree([-1, *[0] * (d - 1)], moves, [sure] * d)
    # Half of the features say one thing, then half of them the other.
    row = np.arange(d)[None] >= d // 2
    expected = np.log(0.5) + np.log(0.1) * (d // 2) + np.log(0.9) * (d // 2 - 1)
    assert base.logpdf(row)[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("make", [hidden_tree, mixture])
def test_samples_follow_the_probabilities_and_leave_codes_out(make):
    base, rng = make(), np.random.RandomState(0)
    probability = np.exp(base.logpdf(CELLS))
    assert probability.sum() == pytest.approx(1.0, abs=1e-12)
    index = np.ravel_multi_index(base.sample(50_000, rng).T, SIZES)
    found = np.bincount(index, minlength=len(CELLS)) / 50_000
    np.testing.assert_allclose(found, probability, atol=0.01)
    codes = np.array([-1, 2, -1, 0])
    kept = ((codes != CELLS) | (codes < 0)).all(axis=1)
    assert np.exp(base.log_without(codes)) == pytest.approx(probability[kept].sum())
    Z = base.sample_without(50_000, rng, codes)
    index = np.ravel_multi_index(Z.T, SIZES)
    found = np.bincount(index, minlength=len(CELLS)) / 50_000
    expected = np.where(kept, probability, 0.0) / probability[kept].sum()
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert not found[~kept].any()


def test_what_is_no_code_is_impossible():
    assert (hidden_tree().logpdf([[0, 3, 0, 0], [0, 0.5, 0, 0]]) == -np.inf).all()
    with pytest.raises(ValueError, match="no other code"):
        HiddenTree([-1], [[1.0]], [[[1.0]]]).log_without(np.array([0]))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([1, 0], [[[1.0]], [[1.0]]], [[[1.0]], [[1.0]]]), "circle"),
        (([-1], [[0.5, 0.6]], [[[1.0], [1.0]]]), r"transitions\[0\] must be non-neg"),
        (([-1], [[0.5, 0.5]], [[[1.0]]]), r"emissions\[0\] must have shape \(2, 1\)"),
        (([-1], [[1.0]], [[[1.0, 0.0]]]), r"emissions\[0\] must be positive"),
    ],
)
def test_wrong_hidden_trees(parts, message):
    with pytest.raises(ValueError, match=message):
        HiddenTree(*parts)


def test_wrong_mixtures():
    one, other = IndependentCategorical([[1.0]]), IndependentCategorical([[0.5, 0.5]])
    with pytest.raises(ValueError, match="weights must be positive and sum to 1"):
        Mixture([0.5, 0.6], (one, one))
    with pytest.raises(ValueError, match="other features than one another"):
        Mixture([0.5, 0.5], (one, other))


# ------------------------------------------------------------------ learned


def test_classes_are_found_and_saved(tmp_path):
    model = CategoricalBase(random_state=0).fit(classes(1000))
    assert model.structure_ == "hidden-tree"
    pairs = CategoricalBase(structure="chow-liu", random_state=0).fit(classes(1000))
    test = classes(5000, seed=1)
    assert model.score(test) > pairs.score(test) + 0.1
    model.to_density().save(tmp_path / "codes.npz")
    known = load(tmp_path / "codes.npz")
    np.testing.assert_array_equal(known.logpdf(test), model.score_samples(test))
    samples = model.sample(5000, random_state=0)
    assert model.score(samples) == pytest.approx(model.score(test), abs=0.1)


def test_probabilities_of_a_learned_mixture_sum_to_one():
    X = classes(600)[:, :4]
    model = CategoricalBase(structure="hidden-tree", random_state=0).fit(X)
    cells = np.array(list(product(range(4), repeat=4)))
    base = model.base_distribution_
    assert base.n_categories.tolist() == [4] * 4
    assert np.exp(base.logpdf(cells)).sum() == pytest.approx(1.0, abs=1e-10)
    # Weights stand for repeats.
    weight = np.random.default_rng(0).integers(0, 3, size=600)
    model = CategoricalBase(structure="hidden-tree", random_state=0)
    weighted = model.fit(X, sample_weight=weight).score_samples(X)
    repeated = model.fit(np.repeat(X, weight, axis=0)).score_samples(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)


def test_a_flow_drops_permutations_that_bring_nothing():
    X, test = classes(500), classes(5000, seed=1)
    flow = DiscreteTreeFlow(max_depth=2, max_iter=1, random_state=0)
    flow.fit(X, X_val=classes(500, seed=2))
    assert flow.structure_ == "hidden-tree"
    scores = flow.structure_scores_
    assert set(scores) == {"independent", "chow-liu", "permutations", "hidden-tree"}
    assert max(scores, key=scores.get) == "hidden-tree"
    assert flow.n_iter_ == len(flow.layers_) == 0
    assert flow.validation_score_[-1] == pytest.approx(scores["hidden-tree"])
    base = CategoricalBase(structure="hidden-tree", random_state=0).fit(X)
    assert flow.score(test) > base.score(test) - 0.2
    assert (flow.transform(X) == X).all()


def test_structures_can_be_listed():
    X = classes(300)
    model = CategoricalBase(structure=["independent", "hidden-tree"]).fit(X)
    assert model.structure_ in ("independent", "hidden-tree")
    alone = DiscreteTreeFlow(base="hidden-tree", random_state=0).fit(X)
    assert (alone.structure_, alone.n_iter_) == ("hidden-tree", 0)
    with pytest.raises(ValueError, match="structure must name some of"):
        CategoricalBase(structure=["tree"]).fit(X)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((20, 3), dtype=int),
        np.column_stack([np.arange(30), np.zeros(30, int), np.arange(30) % 2]),
        np.array([[0, 1], [1, 0]]),
        np.array([[0, 1]]),
    ],
    ids=["constant", "one row a class", "two rows", "one row"],
)
def test_tables_with_little_to_learn(X):
    model = CategoricalBase(structure="hidden-tree", random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.score_samples(X + 1)).all()
    assert np.isin(model.sample(50, random_state=0), X).all()


def test_a_category_of_ten_thousand_values(short_search):
    rng = np.random.default_rng(0)
    many = rng.permutation(10_000)
    X = np.column_stack([many, many % 2, many % 3])
    model = CategoricalBase(structure="hidden-tree", random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.sample(5, random_state=0).shape == (5, 3)


def test_a_thousand_columns(short_search):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, size=(60, 1))
    X = first ^ (rng.uniform(size=(60, 1000)) < 0.1)
    model = CategoricalBase(structure="hidden-tree", random_state=0).fit(X)
    assert np.isfinite(model.score_samples(1 - X)).all()
    assert model.score(X) > -1000.0 * np.log(2.0) / 1.5
