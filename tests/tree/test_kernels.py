"""The kernels: compiled, vectorised, and written for reading, all give the same."""

import itertools

import numpy as np
import pytest

from destructors._cube import to_cube
from destructors.tree import _apply, _best_split, _bins
from destructors.tree._density_tree import GrowthRule
from tests.tree.reference import find_box, gain_of_cut, grow, leaf_boxes, push_row

RULE = GrowthRule(
    max_depth=6,
    max_leaf_nodes=None,
    min_samples_leaf=5,
    min_gain=0.0,
    max_bins=16,
    n_drawn=3,
    random=False,
    exact=False,
    learning_rate=0.5,
    scale_decay=1.0,
)


def make_rows(n_samples, n_features=3, seed=0):
    """Rows of the cube with structure, some at 0 and 1 exactly, and weights."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n_samples, n_features))
    Z[:, 0] = np.abs(Z[:, 1]) + 0.3 * Z[:, 0]
    Z[rng.uniform(size=Z.shape) < 0.01] = 7.0
    Z[rng.uniform(size=Z.shape) < 0.01] = -7.0
    return to_cube(Z), rng.uniform(0.5, 2.0, n_samples)


def make_tree(U, weight, seed=0, **changes):
    rng = np.random.RandomState(seed)
    rows = np.arange(len(U), dtype=np.uint32)
    offsets = rng.uniform(size=U.shape[1])
    rule = RULE._replace(n_drawn=U.shape[1])._replace(**changes)
    return rule.grow(U, weight, rows, offsets, rng)[0]


# ---------------------------------------------------------------- bins


@pytest.mark.parametrize("max_bins", [2, 7, 64, 255])
@pytest.mark.parametrize("shifted", [True, False])
def test_bins_lie_between_their_edges(max_bins, shifted):
    U, _ = make_rows(2000)
    offsets = np.array([0.25, 0.5, 0.75]) if shifted else np.zeros(3)
    edges, n_bins = _bins.make_edges(offsets, max_bins)
    bins = _bins.bin_rows(U, offsets, n_bins, max_bins)
    for j in range(3):
        ends = edges[j, : int(n_bins[j]) + 1]
        assert ends[0] == 0.0
        assert ends[-1] == 1.0
        assert (np.diff(ends) > 0).all()
        expected = np.clip(np.searchsorted(ends, U[:, j], "right") - 1, 0, None)
        np.testing.assert_array_equal(
            bins[:, j], np.minimum(expected, int(n_bins[j]) - 1)
        )


def test_binning_is_the_same_vectorised():
    U, _ = make_rows(2000)
    offsets = np.array([0.1, 0.9, 0.4])
    _, n_bins = _bins.make_edges(offsets, 32)
    loops, vectorised = np.empty(U.shape, np.uint8), np.empty(U.shape, np.uint8)
    _bins._bin(U, offsets, n_bins, 31, loops)
    _bins._bin_vectorised(U, offsets, n_bins, 31, vectorised)
    np.testing.assert_array_equal(loops, vectorised)


# ---------------------------------------------------------------- the best cut


def split_arguments(seed, *, random, exact, min_gain=0.0):
    rng = np.random.RandomState(seed)
    U, weight = make_rows(400, seed=seed)
    edges, n_bins = _bins.make_edges(rng.uniform(size=3), 16)
    rows = np.flatnonzero(rng.uniform(size=400) < 0.5).astype(np.uint32)
    bins = np.clip(_bins.bin_rows(U, np.zeros(3), n_bins, 15), 2, 12).astype(np.uint8)
    return {
        "bins": bins,
        "weight": weight,
        "rows": rows,
        "edges": edges,
        "low": np.full(3, 2, np.uint8),
        "high": np.full(3, 13, np.uint8),
        "mass": weight[rows].sum(),
        "min_mass": 3.0,
        "min_gain": min_gain,
        "features": np.array([0, 2]),
        "random_cuts": rng.uniform(size=3) if random else np.empty(0),
        "exact": exact,
        "histogram": np.full(edges.shape, np.nan),
    }


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_best_split_is_the_same_vectorised(seed, random, exact):
    arguments = split_arguments(seed, random=random, exact=exact).values()
    gain, *integers, below = _best_split.best_split(*arguments)
    slow_gain, *slow_integers, slow_below = _best_split._best_split_vectorised(
        *arguments
    )
    assert integers == slow_integers
    assert gain == pytest.approx(slow_gain, rel=1e-12)
    assert below == pytest.approx(slow_below, rel=1e-12)


@pytest.mark.parametrize("exact", [True, False])
def test_best_split_is_the_best_of_all(exact):
    given = split_arguments(0, random=False, exact=exact)
    rows, edges, mass = given["rows"], given["edges"], given["mass"]
    tried = []
    for f in given["features"]:
        start, stop = edges[f, 2], edges[f, 13]
        for cut in range(3, 13):
            below = given["weight"][rows[given["bins"][rows, f] < cut]].sum()
            if min(below, mass - below) >= 3.0:
                v = (edges[f, cut] - start) / (stop - start)
                tried.append((gain_of_cut(below, mass, v, exact), f, cut, below))
    best = _best_split.best_split(*given.values())
    assert best[1:3] == max(tried)[1:3]
    np.testing.assert_allclose(best, max(tried), rtol=1e-12)


def test_random_cut_is_where_it_is_drawn():
    given = split_arguments(0, random=True, exact=True)
    for share, cut in ((0.0, 3), (0.5, 8), (1.0 - 1e-12, 12)):
        given["random_cuts"] = np.full(3, share)
        assert _best_split.best_split(*given.values())[2] == cut


def test_no_split_without_gain():
    given = split_arguments(0, random=False, exact=True, min_gain=1e6)
    for kernel in (_best_split.best_split, _best_split._best_split_vectorised):
        assert kernel(*given.values())[1] == -1


def test_partition_keeps_the_order():
    bins = np.random.default_rng(0).integers(0, 9, (300, 2)).astype(np.uint8)
    rows = np.random.default_rng(1).permutation(300)[:200].astype(np.uint32)
    is_below = bins[rows, 1] < 4
    expected = np.concatenate([rows[is_below], rows[~is_below]])
    for kernel in (_best_split.partition, _best_split._partition_vectorised):
        moved = rows.copy()
        assert kernel(moved, bins, 1, 4, np.empty_like(rows)) == is_below.sum()
        np.testing.assert_array_equal(moved, expected)


# ---------------------------------------------------------------- growing


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_grown_tree_is_that_of_brute_force(exact, seed):
    U, weight = make_rows(300, seed=seed)
    U = U[((U > 0.0) & (U < 1.0)).all(axis=1)]
    weight = weight[: len(U)]
    tree = make_tree(U, weight, seed, exact=exact)
    offsets = np.random.RandomState(seed).uniform(size=3)
    leaves = grow(
        U,
        weight,
        _bins.make_edges(offsets, 16)[0],
        max_depth=6,
        min_mass=5,
        exact=exact,
        step=lambda volume: 0.5 / (1.0 - np.log2(volume)),
    )
    boxes, images = leaf_boxes(tree, 3)
    assert len(boxes) == len(leaves) > 10

    def ordered(boxes):
        boxes = np.reshape(boxes, (len(boxes), -1))
        return boxes[np.lexsort(boxes.round(5).T)]

    slow_boxes, slow_images, _ = zip(*leaves, strict=True)
    # Cuts are stored in single precision.
    np.testing.assert_allclose(ordered(boxes), ordered(slow_boxes), atol=1e-6)
    np.testing.assert_allclose(ordered(images), ordered(slow_images), atol=1e-6)


def test_best_first_makes_the_same_tree_if_leaves_are_not_scarce():
    U, weight = make_rows(500)
    boxes, _ = leaf_boxes(make_tree(U, weight), 3)
    best_first = make_tree(U, weight, max_leaf_nodes=10_000)
    gains = leaf_boxes(best_first, 3)[0]
    assert {box.tobytes() for box in boxes} == {box.tobytes() for box in gains}


def test_scarce_leaves_go_to_the_largest_gains():
    U, weight = make_rows(500)
    rows = np.arange(500, dtype=np.uint32)
    rule = RULE._replace(exact=True, learning_rate=1.0, scale_decay=0.0)
    best = []
    for n_leaves in range(2, 12):
        rule = rule._replace(max_leaf_nodes=n_leaves)
        rng = np.random.RandomState(0)
        splits, gains = rule.grow(U, weight, rows.copy(), np.zeros(3), rng)
        assert len(splits) == n_leaves - 1
        best.append(gains)
    for few, more in itertools.pairwise(best):
        # One more leaf is one more split, whatever was made before.
        np.testing.assert_array_equal(more[:-1], few)
    nodes = splits["node"].tolist()
    for k, gain in enumerate(gains):
        waiting = {n for j in range(k) for n in (2 * j + 1, 2 * j + 2)} | {0}
        later = [gains[j] for j in range(k + 1, len(nodes)) if nodes[j] in waiting]
        assert gain >= max(later, default=0.0)


# ---------------------------------------------------------------- the map


def forest(U, weight, n_trees=4):
    trees = [make_tree(U, weight, seed, learning_rate=0.9) for seed in range(n_trees)]
    starts = np.cumsum([0, *map(len, trees)])
    return np.concatenate(trees), starts


def push(kernel, U, splits, starts, inverse):
    U, log_det = U.copy(), np.zeros(len(U))
    kernel(U, _apply.beyond_cube(U), splits, starts, log_det, inverse)
    return U, log_det


@pytest.mark.parametrize("n_features", [1, 3, 40])
@pytest.mark.parametrize("inverse", [True, False])
def test_push_is_the_same_vectorised(n_features, inverse):
    U, weight = make_rows(1500, n_features) if n_features > 1 else make_rows(1500, 2)
    splits, starts = forest(U, weight)
    moved, log_det = push(_apply.push_trees, U, splits, starts, inverse)
    slow, slow_log_det = push(_apply._push_vectorised, U, splits, starts, inverse)
    np.testing.assert_array_equal(moved, slow)
    np.testing.assert_allclose(log_det, slow_log_det, rtol=1e-12, atol=1e-12)


def test_push_is_that_of_the_boxes():
    U, weight = make_rows(400)
    tree = make_tree(U, weight)
    boxes, images = leaf_boxes(tree, 3)
    starts = np.array([0, len(tree)])
    there = push(_apply.push_trees, U, tree, starts, False)
    back = push(_apply.push_trees, there[0], tree, starts, True)
    for i, u in enumerate(U):
        leaf = find_box(u, boxes)
        moved, log_det = push_row(u, boxes[leaf], images[leaf])
        np.testing.assert_allclose(there[0][i], moved, rtol=1e-13)
        assert there[1][i] == pytest.approx(log_det, abs=1e-12)
        assert find_box(there[0][i], images) == leaf
    np.testing.assert_allclose(back[0], U, rtol=1e-13)
    np.testing.assert_allclose(back[1], -there[1], atol=1e-12)


def test_rows_on_and_beside_cuts_find_their_way_back():
    U, weight = make_rows(800)
    splits, starts = forest(U, weight, n_trees=1)
    boxes, images = leaf_boxes(splits, 3)
    # Corners of all boxes, and the nearest numbers on either side of them.
    corners = np.concatenate([boxes[:, 0], boxes[:, 1]])
    corners = corners[((corners > 0) & (corners < 1)).all(axis=1)]
    edge_rows = np.concatenate(
        [corners, np.nextafter(corners, 0.0), np.nextafter(corners, 1.0)]
    )
    edge_rows = np.concatenate([edge_rows, np.full((1, 3), 1.0 - 2.0**-53)])
    moved, log_det = push(_apply.push_trees, edge_rows, splits, starts, False)
    assert ((moved > 0.0) & (moved < 1.0)).all()
    for row, image in zip(edge_rows, moved, strict=True):
        assert find_box(row, boxes) == find_box(image, images)
    back, back_log_det = push(_apply.push_trees, moved, splits, starts, True)
    np.testing.assert_allclose(back, edge_rows, atol=1e-14)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-12)


def test_beyond_the_cube_rows_stay_there():
    U, weight = make_rows(1500)
    splits, starts = forest(U, weight)
    outside = (U <= 0.0) | (U >= 1.0)
    assert outside.sum() > 50
    moved, _ = push(_apply.push_trees, U, splits, starts, False)
    np.testing.assert_array_equal(moved[outside], U[outside])
    assert ((moved > 0.0) & (moved < 1.0))[~outside].all()
    back, _ = push(_apply.push_trees, moved, splits, starts, True)
    np.testing.assert_allclose(back, U, atol=1e-13)


def test_very_deep_tree_neither_overflows_nor_loses_its_way():
    # A chain of 2000 cuts, each of the lower part, of 40 features in turn.
    n_features, n_splits = 40, 2000
    splits = np.zeros(n_splits, _apply.SPLIT)
    splits["node"] = np.maximum(2 * np.arange(n_splits) - 1, 0)
    splits["feature"] = np.arange(n_splits) % n_features
    place = 1 + np.arange(n_splits) // n_features
    splits["t_in"], splits["t_out"] = 0.75**place, 0.5**place
    U = np.full((3, n_features), [[0.9], [1e-6], [1e-9]])
    starts = np.array([0, n_splits])
    moved, log_det = push(_apply.push_trees, U, splits, starts, False)
    # Slopes of the innermost box are (2/3)^50 on each of the 40 features.
    assert log_det[2] == pytest.approx(40 * 50 * np.log(2 / 3), rel=1e-6)
    back, _ = push(_apply.push_trees, moved, splits, starts, True)
    np.testing.assert_allclose(back, U, rtol=1e-12)


def test_no_trees_is_the_identity():
    U, _ = make_rows(10)
    for starts in ([0], [0, 0, 0]):
        for inverse in (True, False):
            moved, log_det = push(
                _apply.push_trees,
                U,
                np.empty(0, _apply.SPLIT),
                np.array(starts),
                inverse,
            )
            np.testing.assert_array_equal(moved, U)
            assert not log_det.any()
