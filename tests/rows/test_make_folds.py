"""No value is hidden from a fit: folds where few rows differ."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.compose import IterativeDestructor
from destructors.flows import (
    RBIG,
    DeepCopula,
    PatchFlow,
    RandomLinearFlow,
    RandomTreeFlow,
    SlicedGaussianization,
    TreeFlow,
)
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Rows, make_folds, open_rows, split_rows, write_rows
from destructors.tree import BoostedTreeDestructor

STACKS = {
    "rbig": RBIG(max_iter=3),
    "sliced": SlicedGaussianization(max_iter=3),
    "iterative": IterativeDestructor(max_iter=3),
    "random-linear": RandomLinearFlow(max_iter=3),
    "random-tree": RandomTreeFlow(max_iter=3),
    "deep-copula": DeepCopula(max_iter=3),
    "patch": PatchFlow(max_iter=3),
}
# The default has a normal too, which rows of values that are new to a fold like more.
SPLINES = IterativeDestructor(SplineGaussianizer(), max_iter=3)


def integers(seed, n_values=5, n_rows=300):
    return np.random.default_rng(seed).integers(0, n_values, (n_rows, 1)) * 1.0


def folds_of(X, weight=None, fraction=0.1):
    return make_folds(Rows.of(X, weight), None, fraction, 0)


# ---------------------------------------------------------------- what is split


@pytest.mark.parametrize(
    ("n_rows", "n_folds"), [(2, 2), (3, 3), (9, 9), (10, 3), (90, 3)]
)
def test_few_rows_are_held_out_in_turns(n_rows, n_folds):
    folds, refits = folds_of(np.random.default_rng(0).normal(size=(n_rows, 2)))
    assert refits
    assert len(folds) == n_folds
    held_out = np.concatenate([fold.validation.values for fold in folds])
    assert len(np.unique(held_out, axis=0)) == n_rows


@pytest.mark.parametrize("n_rows", [100, 300, 1000])
def test_of_other_rows_one_part_is_held_out(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    weight = np.full(n_rows, 1.0 / 3.0)
    for folds, refits in (folds_of(X), folds_of(X, weight)):
        assert not refits
        assert [len(fold.validation) for fold in folds] == [n_rows // 10]


def test_a_heavy_row_is_not_hidden():
    X, found = np.arange(500.0)[:, None], []
    for heavy in range(60):
        rows = np.repeat(X, np.where(np.arange(500) == heavy, 60, 1), axis=0)
        _, held_out = split_rows(rows, None, 0.1, 0)
        _, refits = folds_of(rows)
        assert refits == (heavy in rows[held_out])
        found.append(refits)
    # Where it is not held out, nothing changes.
    assert 0 < sum(found) < 10


def test_weights_are_repeats():
    X = np.random.default_rng(0).normal(size=(95, 1))
    for seed in range(10):
        weight = np.random.default_rng(seed).integers(1, 4, len(X))
        repeated, refits = folds_of(np.repeat(X, weight, axis=0))
        weighted, also = folds_of(X, 1e20 * weight)
        assert refits == also
        for one, two in zip(repeated, weighted, strict=True):
            np.testing.assert_array_equal(
                np.unique(one.validation.values), np.unique(two.validation.values)
            )


def test_few_different_rows_on_disk(tmp_path):
    X = integers(0, n_rows=4000)
    rows = open_rows(write_rows(tmp_path / "rows.npy", [X]))
    model = RBIG(max_iter=2, random_state=0).fit(rows)
    P = probabilities(model, range(5))
    assert np.abs(P - np.bincount(X[:, 0].astype(int)) / len(X)).max() < 0.07


# ---------------------------------------------------------------- what is learned


def probabilities(model, values):
    """Return that of the cell of each value, by the density of its middle points."""
    offsets = (np.arange(400) + 0.5) / 400 - 0.5
    return np.array(
        [np.exp(model.score_samples(v + offsets[:, None])).mean() for v in values]
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_rows", [300, 20_000])
@pytest.mark.parametrize("stack", [STACKS["rbig"], SPLINES], ids=["rbig", "splines"])
def test_each_value_has_its_probability(stack, n_rows, seed):
    X = integers(seed, n_rows=n_rows)
    model = clone(stack).set_params(random_state=seed).fit(X)
    shares = np.bincount(X[:, 0].astype(int)) / len(X)
    # Splines are smooth; a value that is hidden is off by 0.1 to 0.25.
    assert np.abs(probabilities(model, range(5)) - shares).max() < 0.07


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("name", STACKS)
def test_the_first_layer_is_fitted_to_all_rows(name, constant):
    X = integers(0)
    if constant:
        X = np.c_[X, np.full((len(X), 3), 7.0)]
    model = clone(STACKS[name]).set_params(random_state=0).fit(X)
    layer = clone(model[0]).fit(X)
    np.testing.assert_allclose(
        model[0].score_samples(X), layer.score_samples(X), atol=1e-9
    )


@pytest.mark.parametrize("model", [BoostedTreeDestructor(), RBIG(max_iter=4)])
def test_it_is_what_folds_do(model):
    X = np.random.default_rng(0).normal(size=(50, 2)) ** 3
    model.set_params(random_state=0)
    scores = model.fit(X).score_samples(X)
    folds = model.set_params(cv=3).fit(X).score_samples(X)
    np.testing.assert_array_equal(scores, folds)


def test_many_rows_of_few_kinds_are_all_learned_by_a_tree_flow():
    # So many rows would hold out one part.
    X = integers(0, n_rows=20_000)
    kwargs = {"marginal": None, "n_components": [1], "boost_mixture": False}
    model = TreeFlow(**kwargs, max_trees=1, random_state=0).fit(X)
    normal = GaussianMixtureDestructor(1, random_state=0).fit(X)
    np.testing.assert_allclose(model[0].score_samples(X), normal.score_samples(X))
