"""Regressions as data: trees and lines."""

from dataclasses import replace

import numpy as np
import pytest

from destructors.maps import _autoregressive
from destructors.maps._autoregressive import BoostedTrees, Linear
from destructors.maps._jit import has_numba


@pytest.fixture(params=["compiled", "vectorised"])
def path(request, monkeypatch):
    """Both ways to go down the trees."""
    if request.param == "compiled" and not has_numba():
        pytest.skip("kernels are not compiled")
    if request.param == "vectorised":
        plain = _autoregressive._add_trees_vectorised
        monkeypatch.setattr(_autoregressive, "_add_trees", plain)


@pytest.fixture
def trees():
    """A stump on the second feature, a leaf, and a tree of three leaves."""
    inf = np.inf
    return BoostedTrees(
        10.0,
        roots=np.array([0, 3, 4]),
        feature=np.array([1, 0, 0, 0, 0, 0, 1, 0, 0]),
        threshold=np.array([0.5, inf, inf, inf, -1.0, inf, 2.0, inf, inf]),
        left=np.array([1, 1, 2, 3, 5, 5, 7, 7, 8]),
        value=np.array([0.0, 1.0, 2.0, 0.25, 0.0, 100.0, 0.0, 200.0, 300.0]),
    )


@pytest.mark.usefixtures("path")
def test_rows_go_left_up_to_the_threshold(trees):
    X = np.array([[-2.0, 0.0], [-1.0, 0.5], [0.0, 0.6], [0.0, 2.0], [5.0, 1e300]])
    expected = 10.25 + np.array([101.0, 101.0, 202.0, 202.0, 302.0])
    np.testing.assert_array_equal(trees.predict(X), expected)


@pytest.mark.usefixtures("path")
def test_rows_in_many_chunks_and_in_any_order_of_memory(trees):
    X = np.random.default_rng(0).normal(size=(1000, 2))
    alone = np.concatenate([trees.predict(row[None]) for row in X])
    np.testing.assert_array_equal(trees.predict(X), alone)
    np.testing.assert_array_equal(trees.predict(np.asfortranarray(X)), alone)
    assert trees.predict(X[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("field", "place", "value"),
    [
        ("left", 0, -1),
        ("left", 0, 8),
        ("left", 6, 4),
        ("feature", 4, -1),
        ("threshold", 3, 0.0),
        ("threshold", 3, np.nan),
        ("roots", 0, -1),
        ("roots", 1, 4),
        ("roots", 2, 9),
    ],
)
def test_trees_that_lead_nowhere_are_refused(trees, field, place, value):
    damaged = getattr(trees, field).copy()
    damaged[place] = value
    with pytest.raises(ValueError, match="no trees"):
        replace(trees, **{field: damaged})


@pytest.mark.parametrize("field", ["feature", "threshold", "left", "value"])
def test_nodes_that_are_missing_are_refused(trees, field):
    with pytest.raises(ValueError, match="no trees"):
        replace(trees, **{field: getattr(trees, field)[:-1]})


def test_pointers_are_integers(trees):
    for field in ("roots", "feature", "left"):
        with pytest.raises(ValueError, match="no trees"):
            replace(trees, **{field: getattr(trees, field).astype(float)})


@pytest.mark.usefixtures("path")
def test_features_that_are_not_there_are_an_error(trees):
    with pytest.raises(ValueError, match="more features than 1"):
        trees.predict(np.zeros((3, 1)))


def test_a_line():
    line = Linear(np.array([2.0, -1.0]), 0.5)
    np.testing.assert_array_equal(
        line.predict(np.array([[1.0, 1.0], [0.0, 2.0]])), [1.5, -1.5]
    )
