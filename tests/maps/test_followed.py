"""What compiled loops follow without looking is looked at before."""

from dataclasses import replace

import numpy as np
import pytest

from destructors.image import PixelMixtureDestructor, PixelTreeDestructor
from destructors.maps import (
    Along,
    BoostedRosenblatt,
    Permutation,
    QuadraticSpline,
    Rosenblatt,
    Trees,
)
from destructors.maps._autoregressive import BoostedTrees
from destructors.maps._jit import are_starts, has_numba
from destructors.maps._slices import Layer, Lookup, Slices

SPLINE = QuadraticSpline.of(*([np.array([0.0, 1.0, 2.0])] * 2,) * 2, [np.ones(3)] * 2)
# From afar: the differences of these, in 64 bits, are all positive.
ROUND = [0, 2**63 - 1, -2]


def rosenblatt():
    return Rosenblatt(np.full(2, 0.5), np.zeros((2, 3)), np.stack([np.eye(3)] * 2))


def boosted():
    return BoostedRosenblatt(
        rosenblatt(),
        np.zeros((3, 1)),
        np.array([[-1, 0, 0]] * 3, np.int32),
        np.arange(3),
        np.arange(4),
        np.zeros((1, 2)),
    )


def pixel_tree():
    X = np.random.default_rng(0).uniform(size=(100, 6))
    return PixelTreeDestructor((2, 3), n_bins=4, bounds=(0, 1)).fit(X).map_


def pixel_mixture():
    X = np.random.default_rng(0).uniform(size=(100, 6))
    model = PixelMixtureDestructor((2, 3), n_components=2, n_bins=4, bounds=(0, 1))
    return model.fit(X).map_


def permutation():
    table = np.zeros((1, 2), bool)
    leaf = np.array([-1]), np.array([[0, 0]])
    return Permutation(np.array([2, 2]), *leaf, table, table, np.array([[0, 1, 0, 1]]))


MAPS = {
    "rosenblatt": rosenblatt,
    "boosted": boosted,
    "pixel-tree": pixel_tree,
    "pixel-mixture": pixel_mixture,
    "permutation": permutation,
    "spline": lambda: SPLINE,
    "along": lambda: Along(np.eye(4)[:, :2], SPLINE),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("n_columns", [1, 9])
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_rows_of_other_columns_are_refused(name, n_columns, way):
    with pytest.raises(ValueError, match=r"columns|codes|mismatch|broadcast"):
        getattr(MAPS[name](), way)(np.zeros((4, n_columns)))


@pytest.mark.skipif(not has_numba(), reason="kernels are not compiled")
@pytest.mark.parametrize(
    "layer",
    [
        Layer(np.eye(4)[:, :3], SPLINE),
        Layer(np.eye(4)[:, :2], SPLINE, turns=True),
        Layer(np.eye(4)[0], SPLINE),
    ],
)
def test_directions_that_do_not_fit_are_refused(layer):
    with pytest.raises(ValueError, match="does not fit directions"):
        Slices.of(layer)


def test_no_number_is_beyond_the_last_interval():
    knots = np.array([0.0, 1.0, 2.0, 3.0, 0.0, 1.0])
    upper = Lookup.of(knots, np.array([0, 4, 6])).upper
    with np.errstate(invalid="ignore"):
        assert (np.inf >= upper).tolist() == [True, True, False, True, False, False]


def test_starts_that_go_round_are_refused():
    assert are_starts(np.array([0, 2, 2, 4]), 4)
    assert not are_starts(np.array([*ROUND, 4]), 4)
    leaf = np.zeros(4, np.int64), np.full(4, np.inf), np.arange(4), np.zeros(4)
    with pytest.raises(ValueError, match="where none can be"):
        BoostedTrees(0.0, np.array(ROUND), *leaf)
    with pytest.raises(ValueError, match="lead on to later nodes"):
        replace(boosted(), roots=np.array(ROUND))


def test_roots_in_columns_are_refused():
    with pytest.raises(ValueError, match="lead on to later nodes"):
        replace(boosted(), roots=np.arange(3)[:, None])


def test_nodes_that_are_reached_twice_are_refused():
    """Gone down from each parent, these would be 2**98 on the last level."""
    n = 100
    left = np.minimum(np.arange(n) + 1, [n - 2] * (n - 1) + [n - 1])
    threshold = np.where(left == np.arange(n), np.inf, 0.0)
    with pytest.raises(ValueError, match="where none can be"):
        BoostedTrees(0.0, np.zeros(1, int), np.zeros(n, int), threshold, left, left)


@pytest.mark.parametrize("make", [pixel_tree, pixel_mixture])
@pytest.mark.parametrize("name", ["left", "feature", "probabilities", "neighbors"])
def test_lists_of_pixels_in_columns_are_refused(make, name):
    map_ = make()
    with pytest.raises(ValueError, match="lists and tables"):
        replace(map_, **{name: getattr(map_, name)[..., None]})


def test_a_mixture_of_no_components_is_refused():
    map_ = pixel_mixture()
    nothing = {"shares": np.empty(0), "guides": map_.guides[:, :0]}
    with pytest.raises(ValueError, match="lists and tables"):
        replace(map_, **nothing)


@pytest.mark.parametrize("name", ["t_in", "t_out"])
def test_cuts_lie_in_the_box_that_they_cut(name):
    tree = [(0, 0, 0.5, 0.5), (1, 1, 0.9, 0.9), (3, 0, 0.25, 0.25)]
    trees = Trees.of([[(0, 0, 0.5, 0.5)], tree])
    assert trees.is_valid()
    for inside, outside in ((0.25, 0.5), (0.25, 0.75)):
        splits = trees.splits.copy()
        assert splits[name][3] == inside
        splits[name][3] = outside
        assert not replace(trees, splits=splits).is_valid()
