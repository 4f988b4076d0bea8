"""Cuts that gain by what they let other features tell."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from destructors.datasets import make_checkerboard
from destructors.tree import TreeDestructor, _look_ahead, _rule
from tests.tree.grown import RULE, make_rows


def test_look_ahead_finds_the_checkerboard():
    # Uniform features, so that no cut of the whole board gains by itself.
    X, new = (
        ndtri((make_checkerboard(2000, random_state=seed) + 2.0) / 4.0)
        for seed in (0, 1)
    )
    normal = norm.logpdf(new).sum(axis=1).mean()
    gain = {
        splitter: TreeDestructor(splitter=splitter, min_samples_leaf=0, max_bins=128)
        .fit(X)
        .score(new)
        - normal
        for splitter in ("best", "look-ahead")
    }
    # A row of the board can be on half of the squares.
    assert gain["look-ahead"] > np.log(2.0) - 0.1
    assert gain["best"] < 0.3


def test_empty_leaves_find_the_edges_of_a_support():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1000, 1)) + 2.0 * rng.integers(0, 2, (1000, 1))
    model = TreeDestructor(min_samples_leaf=0, max_bins=128).fit(X)
    gap = model.score_samples(np.array([[1.5]]))[0]
    assert np.isfinite(gap)
    assert gap < model.score(X) - 4.0
    Z = model.transform(np.array([[1.5], [-40.0]]))
    np.testing.assert_allclose(model.inverse_transform(Z), [[1.5], [-40.0]], rtol=1e-9)


def test_independent_features_are_not_cut():
    X = np.random.default_rng(0).normal(size=(2000, 3))
    assert TreeDestructor(splitter="look-ahead").fit(X).n_leaves_ <= 2


@pytest.mark.parametrize("seed", range(4))
def test_best_pair_is_the_same_vectorised(seed):
    U, weight = make_rows(800, seed=seed)
    grid, every = _rule.make_grid(U, np.zeros(3), 32), np.arange(800, dtype=np.uint32)
    box = np.zeros(3, np.uint8), grid.n_bins, weight.sum()
    features, cells = np.arange(3), np.zeros(grid.edges.shape, np.uint8)
    _look_ahead._cell_of_bins(grid.bins, weight, every, box, features, 8, cells)
    given = grid.bins, weight, every, features, cells, 8, box[2], 20.0
    assert _look_ahead.best_pair(*given) == _look_ahead._best_pair_vectorised(*given)


def test_nothing_is_found_where_rows_are_few():
    U, weight = make_rows(30)
    grid, every = _rule.make_grid(U, np.zeros(3), 32), np.arange(30, dtype=np.uint32)
    box, none = (np.zeros(3, np.uint8), grid.n_bins, 30.0), (0.0, -1, 0, 0.0)
    found = _look_ahead.look_ahead(grid, weight, every, box, RULE, np.arange(3), none)
    assert found == none
