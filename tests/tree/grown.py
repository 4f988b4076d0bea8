"""Rows of the cube, and trees grown on them, for tests of kernels."""

import numpy as np

from destructors.maps._cube import to_cube
from destructors.tree._grow import NO_LIMIT, grow_tree
from destructors.tree._rule import GrowthRule, make_grid

RULE = GrowthRule(
    max_depth=6,
    max_leaf_nodes=NO_LIMIT,
    min_samples_leaf=5.0,
    max_bins=16,
    n_drawn=3,
    learning_rate=0.5,
    scale_decay=1.0,
)


def make_latent(n_samples, n_features=3, seed=0):
    """Rows with structure, some beyond the cube."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n_samples, n_features))
    Z[:, 0] = np.abs(Z[:, -1]) + 0.3 * Z[:, 0]
    Z[rng.uniform(size=Z.shape) < 0.01] = 7.0
    Z[rng.uniform(size=Z.shape) < 0.01] = -7.0
    return Z


def make_rows(n_samples, n_features=3, seed=0):
    """Rows of the cube with structure, some at 0 and 1 exactly, and weights."""
    weight = np.random.default_rng(seed).uniform(0.5, 2.0, n_samples)
    return to_cube(make_latent(n_samples, n_features, seed)), weight


def grow(rule, U, weight, offsets, rng):
    """Splits and gains of a tree on all rows."""
    rows = np.arange(len(U), dtype=np.uint32)
    grid = make_grid(U, offsets, rule.max_bins)
    return grow_tree(*rule.arguments(grid, weight, rows, rng))[:2]


def make_tree(U, weight, seed=0, **changes):
    """Splits of a tree."""
    rng = np.random.RandomState(seed)
    offsets = rng.uniform(size=U.shape[1])
    rule = RULE._replace(n_drawn=U.shape[1])._replace(**changes)
    return grow(rule, U, weight, offsets, rng)[0]
