"""The kernels of growth: compiled, vectorised and written for reading are the same."""

import itertools

import numpy as np
import pytest

from destructors.maps._trees import find_leaves
from destructors.tree import _cut, _rule
from destructors.tree._grow import grow_tree
from tests.tree import reference
from tests.tree.grown import RULE, grow, make_rows, make_tree
from tests.tree.reference import gain_of_cut, leaf_boxes

# ---------------------------------------------------------------- bins


@pytest.mark.parametrize("max_bins", [2, 7, 64, 255])
@pytest.mark.parametrize("shifted", [True, False])
def test_bins_lie_between_their_edges(max_bins, shifted):
    U, _ = make_rows(2000)
    offsets = np.array([0.25, 0.5, 0.75]) if shifted else np.zeros(3)
    bins, edges, n_bins = _rule.make_grid(U, offsets, max_bins)
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
    _, edges, n_bins = _rule.make_grid(U, offsets, 32)
    # On edges and beside them, too.
    ends = np.concatenate([edges[:, :32], np.nextafter(edges[:, :32], 0.0)], axis=1)
    U[: ends.shape[1]] = ends.T
    loops, vectorised = np.empty(U.shape, np.uint8), np.empty(U.shape, np.uint8)
    _rule._bin(U, offsets, n_bins, 31, edges, loops)
    _rule._bin_vectorised(U, offsets, n_bins, 31, edges, vectorised)
    for j in range(3):
        is_right = loops[:, j] == np.searchsorted(edges[j, 1:], U[:, j], "right")
        assert (is_right | (U[:, j] == 1.0)).all()
    np.testing.assert_array_equal(loops, vectorised)


# ---------------------------------------------------------------- the best cut


def cut_arguments(seed, *, random, exact, min_gain=0.0):
    """What `count` and `best_cut` take, and the grid and rows that it is made of."""
    rng = np.random.RandomState(seed)
    U, weight = make_rows(400, seed=seed)
    grid = _rule.make_grid(U, rng.uniform(size=3), 16)
    bins = np.clip(grid.bins, 2, 12).astype(np.uint8)
    rows = np.flatnonzero(rng.uniform(size=400) < 0.5).astype(np.uint32)
    features = np.array([[1, 2], [0, 2]])
    cuts = rng.uniform(size=(1, 3)) if random else np.empty((1, 0))
    low, high = np.full((4, 3), 2, np.uint8), np.full((4, 3), 13, np.uint8)
    histograms = np.full((3, *grid.edges.shape), np.nan)
    rule = RULE._replace(min_samples_leaf=3.0, min_gain=min_gain, exact=exact)
    mass = weight[rows].sum()
    counted = bins, weight, rows, 0, len(rows), features, 1, histograms, 2
    given = grid.edges, low, high, 3, mass, rule, (features, cuts), histograms, 2
    return counted, given


def find_cut(seed, kernels=(_cut.count, _cut.best_cut), **how):
    """What is found in a box of half of the rows."""
    counted, given = cut_arguments(seed, **how)
    kernels[0](*counted)
    return kernels[1](*given)


PLAIN = _cut._count_vectorised, _cut._best_cut_vectorised


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_best_cut_is_the_same_vectorised(seed, random, exact):
    gain, *integers, below = find_cut(seed, random=random, exact=exact)
    slow = find_cut(seed, PLAIN, random=random, exact=exact)
    slow_gain, *slow_integers, slow_below = slow
    assert integers == slow_integers
    assert gain == pytest.approx(slow_gain, rel=1e-12)
    assert below == pytest.approx(slow_below, rel=1e-12)


@pytest.mark.parametrize("exact", [True, False])
def test_best_cut_is_the_best_of_all(exact):
    counted, given = cut_arguments(0, random=False, exact=exact)
    (bins, weight, rows), edges, mass = counted[:3], given[0], given[4]
    tried = []
    for f in (0, 2):
        start, stop = edges[f, 2], edges[f, 13]
        for cut in range(3, 13):
            below = weight[rows[bins[rows, f] < cut]].sum()
            if min(below, mass - below) >= 3.0:
                v = (edges[f, cut] - start) / (stop - start)
                tried.append((gain_of_cut(below, mass, v, exact), f, cut, below))
    best = find_cut(0, random=False, exact=exact)
    assert best[1:3] == max(tried)[1:3]
    np.testing.assert_allclose(best, max(tried), rtol=1e-12)


@pytest.mark.parametrize("kernel", [_cut.best_cut, PLAIN[1]])
def test_a_feature_turned_about_is_not_cut_in_its_place(kernel):
    """All of its cuts gain the same, but for rounding: the first feature is cut."""
    rng, n_found = np.random.default_rng(0), 0
    no_cuts, box = np.empty((1, 0)), np.array([[[0, 0]], [[16, 16]]], np.uint8)
    rule = RULE._replace(min_samples_leaf=1.0, exact=True, min_gain=6.0)
    for _ in range(100):
        cuts, counts = np.sort(rng.uniform(size=15)), 10.0 * rng.gamma(0.5, size=16)
        edges = np.array([[0.0, *cuts, 1.0], [0.0, *(1.0 - cuts[::-1]), 1.0]])
        edges = edges.astype(np.float32).astype(float)
        histograms = np.zeros((1, *edges.shape))
        histograms[0, :, :16] = counts, counts[::-1]
        known = 0, counts.sum(), rule, (np.array([[0, 1]]), no_cuts), histograms, 0
        feature = kernel(edges, *box, *known)[1]
        assert feature <= 0
        n_found += feature == 0
    assert n_found > 50


def test_random_cut_is_where_it_is_drawn():
    counted, given = cut_arguments(0, random=True, exact=True)
    _cut.count(*counted)
    for share, cut in ((0.0, 3), (0.5, 8), (1.0 - 1e-12, 12)):
        given[6][1][:] = share
        assert _cut.best_cut(*given)[2] == cut


def test_no_cut_without_gain():
    for kernels in ((_cut.count, _cut.best_cut), PLAIN):
        found = find_cut(0, kernels, random=False, exact=True, min_gain=1e6)
        assert found[1] == -1


def test_partition_keeps_the_order():
    bins = np.random.default_rng(0).integers(0, 9, (300, 2)).astype(np.uint8)
    rows = np.random.default_rng(1).permutation(300)[:200].astype(np.uint32)
    is_below = bins[rows, 1] < 4
    expected = np.concatenate([rows[is_below], rows[~is_below]])
    for kernel in (_cut.partition, _cut._partition_vectorised):
        moved = np.r_[np.uint32([7, 7]), rows]
        end = kernel(moved, 2, 202, bins, 1, 4, np.empty_like(rows))
        assert end == 2 + is_below.sum()
        np.testing.assert_array_equal(moved[2:], expected)
        assert (moved[:2] == 7).all()


# ---------------------------------------------------------------- growing


def test_rows_were_grown_where_the_tree_sends_them():
    U, weight = make_rows(1000)
    offsets, rng = np.array([0.25, 0.5, 0.7]), np.random.RandomState(0)
    cuts = _rule.make_grid(U, offsets, 16).edges[:, 1:].T
    U[:32] = np.concatenate([cuts, np.nextafter(cuts, 0.0)])
    grid = _rule.make_grid(U, offsets, 16)
    rows = np.arange(1000, dtype=np.uint32)
    splits, _, leaves = grow_tree(*RULE.arguments(grid, weight, rows, rng))
    np.testing.assert_array_equal(leaves, find_leaves(U, splits))
    part = np.arange(0, 1000, 2, dtype=np.uint32)
    assert len(grow_tree(*RULE.arguments(grid, weight, part, rng))[2]) == 0


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_grown_tree_is_that_of_brute_force(exact, seed):
    U, weight = make_rows(300, seed=seed)
    U = U[((U > 0.0) & (U < 1.0)).all(axis=1)]
    weight = weight[: len(U)]
    tree = make_tree(U, weight, seed, exact=exact)
    offsets = np.random.RandomState(seed).uniform(size=3)
    leaves = reference.grow(
        U,
        weight,
        _rule.make_grid(U, offsets, 16).edges,
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
    rule = RULE._replace(exact=True, learning_rate=1.0, scale_decay=0.0)
    best = []
    for n_leaves in range(2, 12):
        rule = rule._replace(max_leaf_nodes=n_leaves)
        rng = np.random.RandomState(0)
        splits, gains = grow(rule, U, weight, np.zeros(3), rng)
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
