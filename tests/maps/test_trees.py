"""Trees of boxes: the kernels by a slow reference, and the map as a sequence."""

import pickle

import numpy as np
import pytest

import destructors
from destructors.maps import Density, _trees
from destructors.maps._distributions import StandardNormal
from destructors.maps._trees import Trees
from destructors.testing import check_map
from tests.tree.grown import make_latent, make_rows, make_tree
from tests.tree.reference import find_box, leaf_boxes, push_row


def make_trees(n_trees=4, n_features=3):
    U, weight = make_rows(1500, n_features)
    return Trees.of(
        make_tree(U, weight, seed, learning_rate=0.9) for seed in range(n_trees)
    )


# ---------------------------------------------------------------- the map


@pytest.mark.parametrize("kernel", ["push_trees", "_push_vectorised"])
@pytest.mark.parametrize("n_features", [1, 3, 12])
def test_law(n_features, kernel, monkeypatch):
    monkeypatch.setattr(_trees, "push_trees", getattr(_trees, kernel))
    check_map(make_trees(n_features=n_features), make_latent(60, n_features, seed=1))


@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_few_rows_walk_where_no_compiler_is(way, monkeypatch):
    trees, X = make_trees(), 2.0 * make_latent(40)
    # On the faces of the cube, and beyond.
    X[:3] = [[5.0, 0.0, -5.0], [9.0, -9.0, 1.0], [0.0, 0.0, 0.0]]
    Z, log_det = getattr(trees, way)(X)
    monkeypatch.setattr(_trees, "has_numba", lambda: False)
    monkeypatch.setattr(_trees, "push_trees", None)
    for i in range(0, len(X), 4):
        few, part = getattr(trees, way)(X[i : i + 4])
        np.testing.assert_allclose(few, Z[i : i + 4], rtol=0, atol=1e-11)
        np.testing.assert_allclose(part, log_det[i : i + 4], rtol=0, atol=1e-11)


def test_is_its_trees_one_after_the_other():
    trees, X = make_trees(), make_latent(300)
    Z, log_det = trees.forward(X)
    total = np.zeros(300)
    for tree in trees:
        assert len(tree) == 1
        X, part = tree.forward(X)
        total += part
    np.testing.assert_allclose(X, Z, rtol=0, atol=1e-11)
    np.testing.assert_allclose(total, log_det, rtol=0, atol=1e-10)


def test_parts():
    trees, X = make_trees(), make_latent(300)
    assert len(trees) == 4
    assert trees[:] == trees
    assert trees[-1] == trees[3] == trees[3:]
    assert len({trees, trees[:3], trees[1:], trees[0]}) == 4
    assert trees[1:3][1] == trees[2]
    assert len(trees[3:1]) == len(trees[4:]) == 0
    X_half, half = trees[:2].forward(X)
    Z, rest = trees[2:].forward(X_half)
    np.testing.assert_allclose(Z, trees.forward(X)[0], rtol=0, atol=1e-11)
    np.testing.assert_allclose(half + rest, trees.forward(X)[1], rtol=0, atol=1e-10)
    for bad in (slice(None, None, 2), slice(None, None, -1)):
        with pytest.raises(ValueError, match="run of trees"):
            trees[bad]
    with pytest.raises(IndexError):
        trees[4]


def test_a_part_takes_no_more_room_than_its_own():
    trees = make_trees(n_trees=40)
    assert len(pickle.dumps(trees[:1])) < len(pickle.dumps(trees)) / 20


@pytest.mark.parametrize(
    ("name", "entry", "value"),
    [("node", 0, 1), ("node", 2, -1), ("node", 1, 10**6), ("feature", 3, -1)],
)
def test_splits_that_lead_astray_are_refused(name, entry, value):
    trees = make_trees()
    splits = trees.splits.copy()
    splits[name][entry] = value
    with pytest.raises(ValueError, match="nodes that are there"):
        Trees(splits, trees.starts)


@pytest.mark.parametrize("damage", [-1, 1, 10**9])
def test_starts_that_lead_astray_are_refused(damage):
    trees = make_trees()
    starts = trees.starts.copy()
    starts[-1] += damage
    with pytest.raises(ValueError, match="part them by trees"):
        Trees(trees.splits, starts)
    with pytest.raises(ValueError, match="part them by trees"):
        Trees(trees.splits, trees.starts[::-1].copy())


def test_rows_must_have_the_columns_that_are_split():
    trees = make_trees()
    for way in (trees.forward, trees.inverse):
        with pytest.raises(ValueError, match="there are 1 columns"):
            way(np.zeros((5, 1)))


def test_without_trees_it_is_the_identity():
    empty, X = Trees.of([]), make_latent(20)
    for way in (empty.forward, empty.inverse):
        Z, log_det = way(X)
        np.testing.assert_array_equal(Z, X)
        assert not np.shares_memory(Z, X)
        assert not log_det.any()
    assert bool(empty)
    assert list(empty) == []


def test_comes_back_from_a_file_and_works_on(tmp_path):
    trees, X = make_trees(), make_latent(300)
    Density(trees, StandardNormal(3), 3).save(tmp_path / "trees.npz")
    loaded = destructors.load(tmp_path / "trees.npz").map
    assert loaded == trees
    assert loaded[:2] == trees[:2]
    np.testing.assert_array_equal(loaded.forward(X)[0], trees.forward(X)[0])


# ---------------------------------------------------------------- the kernels


def push(kernel, U, trees, inverse):
    U, log_det = U.copy(), np.zeros(len(U))
    beyond = _trees.beyond_cube(U)
    kernel(U, beyond, trees.splits, trees.starts, log_det, inverse, _trees.UNKNOWN)
    return U, log_det


@pytest.mark.parametrize("n_features", [1, 3, 40])
@pytest.mark.parametrize("inverse", [True, False])
def test_push_is_the_same_vectorised(n_features, inverse):
    U, _ = make_rows(1500, n_features)
    trees = make_trees(n_features=n_features)
    moved, log_det = push(_trees.push_trees, U, trees, inverse)
    slow, slow_log_det = push(_trees._push_vectorised, U, trees, inverse)
    np.testing.assert_array_equal(moved, slow)
    np.testing.assert_allclose(log_det, slow_log_det, rtol=1e-12, atol=1e-12)


def test_push_is_that_of_the_boxes():
    U, weight = make_rows(400)
    tree = make_tree(U, weight)
    boxes, images = leaf_boxes(tree, 3)
    there = push(_trees.push_trees, U, Trees.of([tree]), False)
    back = push(_trees.push_trees, there[0], Trees.of([tree]), True)
    for i, u in enumerate(U):
        leaf = find_box(u, boxes)
        moved, log_det = push_row(u, boxes[leaf], images[leaf])
        np.testing.assert_allclose(there[0][i], moved, rtol=1e-13)
        assert there[1][i] == pytest.approx(log_det, abs=1e-12)
        assert find_box(there[0][i], images) == leaf
    np.testing.assert_allclose(back[0], U, rtol=1e-13)
    np.testing.assert_allclose(back[1], -there[1], atol=1e-12)


@pytest.mark.parametrize("kernel", [_trees.push_trees, _trees._push_vectorised])
def test_known_leaves_need_not_be_found(kernel):
    U, weight = make_rows(400)
    splits = make_tree(U, weight)
    leaves = _trees.find_leaves(U, splits).astype(np.uint32)
    found, log_det_found = push(kernel, U, Trees.of([splits]), False)
    log_det, starts = np.zeros(400), np.array([0, len(splits)])
    kernel(U, _trees.beyond_cube(U), splits, starts, log_det, False, leaves)
    np.testing.assert_array_equal(U, found)
    np.testing.assert_array_equal(log_det, log_det_found)


def test_rows_on_and_beside_cuts_find_their_way_back():
    trees = make_trees(n_trees=1)
    boxes, images = leaf_boxes(trees.splits, 3)
    # Corners of all boxes, and the nearest numbers on either side of them.
    corners = np.concatenate([boxes[:, 0], boxes[:, 1]])
    corners = corners[((corners > 0) & (corners < 1)).all(axis=1)]
    edge_rows = np.concatenate(
        [corners, np.nextafter(corners, 0.0), np.nextafter(corners, 1.0)]
    )
    edge_rows = np.concatenate([edge_rows, np.full((1, 3), 1.0 - 2.0**-53)])
    moved, log_det = push(_trees.push_trees, edge_rows, trees, False)
    assert ((moved > 0.0) & (moved < 1.0)).all()
    for row, image in zip(edge_rows, moved, strict=True):
        assert find_box(row, boxes) == find_box(image, images)
    back, back_log_det = push(_trees.push_trees, moved, trees, True)
    np.testing.assert_allclose(back, edge_rows, atol=1e-14)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-12)


def test_beyond_the_cube_rows_stay_there():
    U, _ = make_rows(1500)
    trees = make_trees()
    outside = (U <= 0.0) | (U >= 1.0)
    assert outside.sum() > 50
    moved, _ = push(_trees.push_trees, U, trees, False)
    np.testing.assert_array_equal(moved[outside], U[outside])
    assert ((moved > 0.0) & (moved < 1.0))[~outside].all()
    back, _ = push(_trees.push_trees, moved, trees, True)
    np.testing.assert_allclose(back, U, atol=1e-13)


def test_very_deep_tree_neither_overflows_nor_loses_its_way():
    # A chain of 2000 cuts, each of the lower part, of 40 features in turn.
    n_features, n_splits = 40, 2000
    splits = np.zeros(n_splits, _trees.SPLIT)
    splits["node"] = np.maximum(2 * np.arange(n_splits) - 1, 0)
    splits["feature"] = np.arange(n_splits) % n_features
    place = 1 + np.arange(n_splits) // n_features
    splits["t_in"], splits["t_out"] = 0.75**place, 0.5**place
    U = np.full((3, n_features), [[0.9], [1e-6], [1e-9]])
    trees = Trees.of([splits])
    moved, log_det = push(_trees.push_trees, U, trees, False)
    # Slopes of the innermost box are (2/3)^50 on each of the 40 features.
    assert log_det[2] == pytest.approx(40 * 50 * np.log(2 / 3), rel=1e-6)
    back, _ = push(_trees.push_trees, moved, trees, True)
    np.testing.assert_allclose(back, U, rtol=1e-12)


def test_trees_without_a_split_are_the_identity():
    U, _ = make_rows(10)
    for kernel in (_trees.push_trees, _trees._push_vectorised):
        for starts in ([0], [0, 0, 0]):
            for inverse in (True, False):
                trees = Trees(np.empty(0, _trees.SPLIT), np.array(starts))
                moved, log_det = push(kernel, U, trees, inverse)
                np.testing.assert_array_equal(moved, U)
                assert not log_det.any()
