"""CategoricalBase and its distributions against what can be counted."""

import itertools

import numpy as np
import pytest
from scipy import stats

import destructors
from destructors.base_distributions import ChowLiuTree, IndependentCategorical
from destructors.discrete import CategoricalBase

MAX = np.finfo(float).max


def chain(n_samples, seed=0, n_features=4, stay=0.8):
    """Codes of which each is the one before, or any."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, size=(n_samples, n_features))
    for j in range(1, n_features):
        kept = rng.uniform(size=n_samples) < stay
        X[kept, j] = X[kept, j - 1]
    return X


def fit_tree(X, sizes, alpha):
    """The tree of pairs of most likelihood, smoothed."""
    settings = {"alpha": alpha, "categories": sizes, "handle_unknown": "error"}
    model = CategoricalBase(structure="chow-liu", **settings).fit(X)
    return model.base_distribution_


def all_cells(*sizes):
    return np.array(list(itertools.product(*map(range, sizes))))


def entropy(*columns):
    _, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return stats.entropy(counts)


def test_independent_columns_are_smoothed_shares():
    X = np.array([[0, 0], [0, 1], [0, 2], [1, 2]])
    model = CategoricalBase(structure="independent", alpha=0.5, handle_unknown="error")
    first = np.log([3.5 / 5.0, 1.5 / 5.0])
    second = np.log([1.5 / 5.5, 1.5 / 5.5, 2.5 / 5.5])
    cells = all_cells(2, 3)
    expected = first[cells[:, 0]] + second[cells[:, 1]]
    np.testing.assert_allclose(model.fit(X).score_samples(cells), expected)


def test_conditionals_are_smoothed_half_by_the_column_and_half_evenly():
    X = np.array([[0, 0], [0, 0], [0, 1], [1, 2]])
    model = fit_tree(X, [2, 3], alpha=1.0)
    [root] = np.flatnonzero(model.parents < 0)
    other = 1 - root
    joint = np.zeros((2, 3))
    np.add.at(joint, tuple(X.T), 1.0)
    joint = joint if root == 0 else joint.T
    k = joint.shape[1]
    alone = (joint.sum(axis=0) + 1.0) / (4.0 + k)
    counts = joint + 0.5 * (k * alone + 1.0)
    expected = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.probabilities[other], expected)


def test_tree_is_the_best_of_all():
    X = chain(500)[:, [2, 0, 3, 1]]
    pairs = list(itertools.combinations(range(4), 2))
    alone = [entropy(X[:, [j]]) for j in range(4)]
    information = {
        (f, g): alone[f] + alone[g] - entropy(X[:, [f]], X[:, [g]]) for f, g in pairs
    }
    spanning = [
        edges
        for edges in itertools.combinations(pairs, 3)
        if len(set(itertools.chain(*edges))) == 4
    ]
    assert len(spanning) == 16
    best = max(sum(information[edge] for edge in edges) for edges in spanning)
    model = fit_tree(X, [3] * 4, alpha=1e-9)
    assert model.logpdf(X).mean() == pytest.approx(best - sum(alone), abs=1e-6)


@pytest.mark.parametrize("structure", ["independent", "chow-liu"])
def test_probabilities_sum_to_one_and_are_those_of_samples(structure):
    model = CategoricalBase(structure=structure, random_state=0).fit(chain(300))
    base = model.base_distribution_
    cells = all_cells(*model.n_categories_)
    probability = np.exp(base.logpdf(cells))
    assert probability.sum() == pytest.approx(1.0, abs=1e-12)
    drawn = base.sample(50_000, np.random.RandomState(0))
    places = np.ravel_multi_index(drawn.T, model.n_categories_)
    observed = np.bincount(places, minlength=len(cells))
    expected = 50_000 * probability
    often = expected >= 5
    observed = np.append(observed[often], observed[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    assert stats.chisquare(observed, expected).pvalue > 1e-4


def test_structure_is_chosen_by_held_out_rows():
    X = chain(2000)
    assert CategoricalBase(random_state=0).fit(X).structure_ == "chow-liu"
    rng = np.random.default_rng(1)
    independent = rng.integers(0, 12, size=(300, 6))
    model = CategoricalBase(random_state=0).fit(independent)
    assert model.structure_ == "independent"
    assert isinstance(model.base_distribution_, IndependentCategorical)


def test_smoothing_is_chosen_by_held_out_rows():
    sharp = np.repeat(np.arange(2)[:, None], 3, axis=1)
    rng = np.random.default_rng(0)
    certain = sharp[rng.integers(0, 2, size=3000)]
    flat = rng.integers(0, 60, size=(120, 3))
    chosen = [CategoricalBase(random_state=0).fit(X).alpha_ for X in (certain, flat)]
    assert chosen[0] < chosen[1]


def test_a_column_of_many_values_is_linked_where_that_is_cheap():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 1000, size=5000)
    X = np.stack([many, many % 2, rng.integers(0, 1000, size=5000)], axis=1)
    model = CategoricalBase(structure="chow-liu", alpha=0.1).fit(X)
    alone = CategoricalBase(structure="independent", alpha=0.1).fit(X)
    assert model.score(X) > alone.score(X) + 0.5


@pytest.mark.parametrize(
    ("parents", "probabilities", "message"),
    [
        ([1, 0], [np.full((2, 2), 0.5)] * 2, "circle"),
        ([-1, 0], [[0.5, 0.5], [0.5, 0.5]], r"probabilities\[1\] must have shape"),
        ([-1], [[0.7, 0.7]], r"probabilities\[0\] must be positive and sum to 1"),
        ([-1], [[1.0, 0.0]], r"probabilities\[0\] must be positive and sum to 1"),
    ],
)
def test_wrong_trees(parents, probabilities, message):
    with pytest.raises(ValueError, match=message):
        ChowLiuTree(parents, probabilities)


def test_codes_out_of_range_are_impossible():
    tree = ChowLiuTree([-1, 0], [[0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]])
    Z = np.array([[0, 2], [-1, 0], [0.5, 0], [1, 1]])
    assert tree.logpdf(Z).tolist() == [-np.inf] * 3 + [pytest.approx(np.log(0.4))]


def test_alpha_of_a_tree_must_be_positive():
    with pytest.raises(ValueError, match="'alpha' parameter of CategoricalBase"):
        fit_tree(np.zeros((3, 2), int), [1, 1], alpha=0.0)


@pytest.mark.parametrize(
    "values", [[0.0, 1.0, MAX], [0.0, -MAX, MAX], [0, -1, 2**63 - 1], [2**63, 5, 0]]
)
def test_what_was_not_seen_is_a_value_beside_the_largest_number(values, tmp_path):
    X = np.array(values)[:, None]
    model = CategoricalBase(alpha=1.0).fit(X)
    other = model.inverse_transform(model.transform([[7.0]]))
    assert np.isfinite(other).all()
    assert other not in X
    destructors.save(model, tmp_path / "model.npz")
    again = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.logpdf(X), model.score_samples(X))
