"""Trees of one column given others: kernels alike, and what is given is not moved."""

import numpy as np
import pytest

from destructors.base_distributions import StandardNormal
from destructors.maps._jit import has_numba
from destructors.rows import Fold, Rows
from destructors.tree._conditional import ConditionalBoostedTrees
from destructors.tree._given import _best_given_vectorised, best_given


def step(n, seed=0):
    """Return rows whose last column is above 0 where the second is."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return np.c_[X, np.sign(X[:, 1]) * np.abs(rng.normal(size=n))]


@pytest.mark.skipif(not has_numba(), reason="kernels are not compiled")
def test_the_best_cut_of_what_is_given_is_the_same_vectorised():
    rng = np.random.default_rng(0)
    for _ in range(20):
        tables = rng.gamma(0.5, size=(2, 12, 5))
        # Both features tell the same rows apart; the second has a cell less.
        tables[1, :, 4], sizes = 0.0, np.array([5, 4])
        tables[1] *= (tables[0].sum(axis=1) / tables[1].sum(axis=1))[:, None]
        shares = np.ones((2, 5))
        shares[0, :4] = np.sort(rng.uniform(0.05, 0.95, 4))
        shares[1, :3] = np.sort(rng.uniform(0.05, 0.95, 3))
        known = tables, shares, sizes, tables[0].sum(), 2.0
        found, expected = best_given(*known), _best_given_vectorised(*known)
        assert found[1] == expected[1]
        assert found[0] == pytest.approx(expected[0])


def test_what_is_given_is_asked_for_and_not_moved():
    rows = step(3000)
    trees = ConditionalBoostedTrees(max_iter=30, random_state=0)
    trees._fit_rows(Fold(Rows.of(rows)))
    splits = trees.map_[1].splits
    is_given = splits["feature"] < 3
    assert is_given.any()
    assert (splits["t_in"][is_given] == splits["t_out"][is_given]).all()
    new = step(1000, seed=1)
    Z, log_det = trees.map_.forward(new)
    np.testing.assert_allclose(Z[:, :3], new[:, :3], atol=1e-12)
    # Half of the line is empty for each row: that is log 2 = 0.69 at most.
    gain = log_det + StandardNormal(1).logpdf(Z[:, 3:])
    gain -= StandardNormal(1).logpdf(new[:, 3:])
    assert 0.5 < gain.mean() < 0.7
    back, log_det_back = trees.map_.inverse(Z)
    np.testing.assert_allclose(back, new, atol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-9)


def test_several_columns_are_moved_given_one():
    """Each half of the first line has its own quadrant of the plane."""
    rng = np.random.default_rng(0)
    side = np.sign(rng.normal(size=4000))[:, None]
    rows = np.c_[
        side * np.abs(rng.normal(size=(4000, 1))),
        side * np.abs(rng.normal(size=(4000, 2))),
    ]
    trees = ConditionalBoostedTrees(max_iter=40, random_state=0)
    trees._n_moved = 2
    trees._fit_rows(Fold(Rows.of(rows[:3000])))
    Z, log_det = trees.map_.forward(rows[3000:])
    np.testing.assert_allclose(Z[:, 0], rows[3000:, 0], atol=1e-12)
    base = StandardNormal(2)
    gain = log_det + base.logpdf(Z[:, 1:]) - base.logpdf(rows[3000:, 1:])
    # Three quarters of the plane are empty for each row: that is log 4 at most.
    assert 1.1 < gain.mean() < 1.4
    back, _ = trees.map_.inverse(Z)
    np.testing.assert_allclose(back, rows[3000:], atol=1e-9)


def test_values_that_repeat_are_spread_in_the_last_column_alone():
    rng = np.random.default_rng(0)
    given = rng.integers(0, 2, size=2000).astype(float)
    rows = np.c_[given, np.rint(2.0 * (rng.normal(size=2000) + given))]
    trees = ConditionalBoostedTrees(max_iter=100, random_state=0)
    trees._fit_rows(Fold(Rows.of(rows)))
    Z, log_det = trees.map_.forward(rows)
    # No more than integers tell: at most -log of the width of a cell over the mass.
    scores = log_det + StandardNormal(1).logpdf(Z[:, 1:])
    assert scores.max() < 0.0
