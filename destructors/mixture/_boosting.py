"""Trees that correct the conditional densities of a mixture, feature by feature."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.maps import BoostedRosenblatt, Rosenblatt
from destructors.mixture._share_trees import grow, share_out
from destructors.rows import Rows, is_over, map_threads

# By validation rows of magic and satellite: rough bins and shallow trees gain less, and
# finer and deeper ones hardly more; with fewer rows for each tree or larger steps a
# tenth to a third of the gain is lost.
N_BINS, _MAX_DEPTH, _LEARNING_RATE = 32, 6, 0.2
_MIN_SAMPLES_LEAF, _PRIOR, _MIN_GAIN = 20.0, 80.0, 8.0
_MAX_TREES, _N_NO_CHANGE, _TOL, _N_FEATURES = 100, 4, 1e-4, 5
# Rows a tree is grown on; trees take turns in them.
_ROWS_OF_TREE = 2**14
# Values of which the difference is less, in standard units, are the same.
_SAME = 1e-9
# Beside so large a weight others count for nothing in single precision.
_LARGEST_WEIGHT = 1e6
# Rows that judge how many trees a feature gets.
_HELD_OUT = 0.2


class ShareTrees(NamedTuple):
    """Trees of a feature, one after the other.

    Attributes
    ----------
    nodes, values : list of ndarray
        Those of each tree; see `destructors.maps.BoostedRosenblatt`.
    """

    nodes: list[NDArray]
    values: list[NDArray]


def choose_edges(values: NDArray, weights: NDArray) -> NDArray:
    """Return the inner edges of bins of equal weight, between values that are there.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,)

    Returns
    -------
    edges : ndarray of shape (n_features, N_BINS - 1)
        A feature of fewer values has some edges more than once; if it has but one, it
        lies above all of them.
    """
    shares = np.arange(1, N_BINS) / N_BINS
    edges = np.empty((values.shape[1], N_BINS - 1))
    for j, column in enumerate(values.T):
        order = np.argsort(column, kind="stable")
        x, below = column[order], np.cumsum(weights[order])
        apart = np.diff(x) > _SAME * np.maximum(np.abs(x[1:]), 1.0)
        # Where values begin that differ by more than rounding, and one past the last.
        first = np.concatenate([[0], np.flatnonzero(apart) + 1, [len(x)]])
        if len(first) == 2:
            # On the one value rounding would choose the bin.
            edges[j] = x[0] - 1.0
            continue
        # The first value of which more than the share is at or below.
        place = np.searchsorted(below, shares * below[-1], side="right")
        group = np.searchsorted(first, np.minimum(place, len(x) - 1), side="right") - 1
        # Of edges in the middle of equal values the first goes below them, and others
        # above, if something is there.
        group += np.diff(group, prepend=-1) == 0
        above = first[np.clip(group, 1, len(first) - 2)]
        edges[j] = 0.5 * x[np.maximum(above - 1, 0)] + 0.5 * x[above]
    return edges


def without_trees(mixture: Rosenblatt, edges: NDArray) -> BoostedRosenblatt:
    """Return the map of a mixture and bins, whose shares are those of the mixture."""
    d = len(edges)
    nodes, roots = np.empty((0, 3), np.int32), np.empty(0, np.int64)
    starts, values = np.zeros(d + 1, np.int64), np.empty((0, N_BINS))
    return BoostedRosenblatt(mixture, edges, nodes, roots, starts, values)


def join(map_: BoostedRosenblatt, trees: list[ShareTrees]) -> BoostedRosenblatt:
    """Return the map with trees of each feature."""
    nodes, values = [np.empty((0, 3), np.int32)], [np.empty((0, N_BINS))]
    roots, starts, n_nodes, n_leaves = [], [0], 0, 0
    for of_feature in trees:
        for tree, leaves in zip(*of_feature, strict=True):
            moved, inner = tree.copy(), tree[:, 0] >= 0
            moved[:, 2] += np.where(inner, n_nodes, n_leaves).astype(np.int32)
            roots.append(n_nodes)
            nodes.append(moved)
            values.append(leaves)
            n_nodes, n_leaves = n_nodes + len(tree), n_leaves + len(leaves)
        starts.append(len(roots))
    return BoostedRosenblatt(
        map_.mixture,
        map_.edges,
        np.concatenate(nodes),
        np.array(roots, np.int64),
        np.array(starts, np.int64),
        np.concatenate(values),
    )


def boost(
    rows: Rows,
    known: Sequence[tuple[Any, BoostedRosenblatt]],
    edges: NDArray,
    seeds: NDArray,
) -> list[ShareTrees]:
    """Grow trees for each feature.

    Parameters
    ----------
    rows : Rows
        Different rows in standard units and in random order.
    known : sequence of (slice or ndarray of int, BoostedRosenblatt) tuples
        Parts of these rows, and of more, each with a mixture that hardly knows them.
    edges : ndarray of shape (n_features, n_bins - 1)
        Edges of the bins, of features in the order in which they are mapped.
    seeds : ndarray of int of shape (n_features,)
        Seed of each feature.

    Returns
    -------
    trees : list of ShareTrees
        Of the features in this order.
    """
    n, d = rows.values.shape
    order = known[0][1].mixture.order
    values = rows.values if order is None else rows.values[:, order]
    columns = zip(edges, values.T, strict=True)
    found = [np.searchsorted(own, x, side="right") for own, x in columns]
    places = np.stack(found, axis=1).astype(np.uint8)
    bins, shares = np.empty((n, d), np.uint8), np.empty((n, d, N_BINS), np.float32)
    weights = rows.weights / max(rows.weights.max() / _LARGEST_WEIGHT, 1.0)

    def judge(part: tuple[Any, BoostedRosenblatt]) -> None:
        own, map_ = part
        own = np.arange(n)[own] if isinstance(own, slice) else own[own < n]
        bins[own], shares[own] = map_.shares(rows.values[own])

    def boost_one(j: int) -> ShareTrees:
        if (places[:, j] == places[0, j]).all():
            # Of a constant there is no place between values: it lies on the edges, and
            # trees would move all mass to the side where rounding has it.
            return ShareTrees([], [])
        bins_of, shares_of = (np.ascontiguousarray(x[:, j]) for x in (bins, shares))
        return boost_feature(j, places, bins_of, weights, shares_of, seeds[j])

    map_threads(judge, known, rows.n_jobs)
    return map_threads(boost_one, range(d), rows.n_jobs)


def boost_feature(
    j: int,
    places: NDArray,
    bins: NDArray,
    weights: NDArray,
    shares: NDArray,
    seed: int,
) -> ShareTrees:
    """Grow trees for a feature while the last rows, held out, gain.

    Parameters
    ----------
    j : int
        The feature.
    places : ndarray of shape (n_samples, n_features), dtype uint8
        The bin of each value.
    bins : ndarray of shape (n_samples,), dtype uint8
        The bin of the feature, by its probability under a mixture.
    weights : ndarray of shape (n_samples,)
    shares : ndarray of shape (n_samples, n_bins)
        What such a mixture, which has not seen the row, gives each bin; changed.
    seed : int
        Of the features that a tree may ask for.

    Returns
    -------
    trees : ShareTrees
        None if they gain less than the standard error of the gain.
    """
    rng = np.random.RandomState(seed)
    n, n_bins = shares.shape
    n_train = n - int(_HELD_OUT * n)
    nodes_of, values_of = list[NDArray](), list[NDArray]()
    held_out = np.arange(n_train, n)
    total, shares_of = weights[held_out].sum(), weights[held_out]
    start = np.log(np.maximum(shares[held_out, bins[held_out]], 1e-30))
    best, n_best = 0.0, 0
    rule = (_MAX_DEPTH, _MIN_SAMPLES_LEAF, _PRIOR, _MIN_GAIN, _LEARNING_RATE)
    n_rows, n_most = min(n_train, _ROWS_OF_TREE), 2 ** (_MAX_DEPTH + 1)
    work = (
        np.empty((n_most, 3), np.int64),
        np.empty(n_rows, np.int64),
        np.empty((n_bins, n_bins)),
        # Single precision: adding up these is most of the work.
        np.empty((n_bins, n_bins), np.float32),
        np.empty((3, n_bins)),
        np.empty((3, n_bins)),
    )
    nodes, values = np.empty((n_most, 3), np.int32), np.empty((n_most, n_bins))
    for tree in range(_MAX_TREES if total > 0.0 else 0):
        rows = (tree * n_rows + np.arange(n_rows)) % n_train
        features = rng.permutation(j)[:_N_FEATURES]
        n_nodes, n_leaves = grow(
            rows, places, bins, weights, shares, features, rule, nodes, values, work
        )
        nodes_of.append(nodes[:n_nodes].copy())
        values_of.append(values[:n_leaves].copy())
        share_out(places, nodes_of[-1], np.exp(values_of[-1]), shares)
        gains = np.log(np.maximum(shares[held_out, bins[held_out]], 1e-30)) - start
        gain = gains @ shares_of / total
        # Of two that gain the same but for rounding units would choose one.
        if gain > best + _TOL:
            error = np.sqrt((gains - gain) ** 2 @ shares_of) / total
            best = gain
            n_best = tree + 1 if gain > 2.0 * error else n_best
        elif tree + 1 - n_best >= _N_NO_CHANGE:
            break
        if is_over():
            break
    return ShareTrees(nodes_of[:n_best], values_of[:n_best])
