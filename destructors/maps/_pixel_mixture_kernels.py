"""The kernels of mixtures of pixel trees: components that see the same go together."""

import numpy as np

from destructors.maps._jit import jit


def _find_leaves_loops(bins, near, guides, feature, threshold, left, leaves):
    """Fill in the leaf of one pixel, for each row and component.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
        Bins of the pixels: those of neighbours are read.
    near : ndarray of int of shape (n_neighbors,)
    guides : ndarray of int of shape (n_components, n_guides)
    feature, threshold, left : ndarray of int
        As in `PixelMixture`.
    leaves : ndarray of int of shape (n_samples, n_components)
        Filled.
    """
    n_neighbors = len(near)
    for i in range(len(bins)):
        for k in range(len(guides)):
            node = 0
            while left[node] != node:
                f = feature[node]
                if f >= n_neighbors:
                    seen = guides[k, f - n_neighbors]
                elif near[f] >= 0:
                    seen = bins[i, near[f]]
                else:
                    seen = -1
                node = left[node] + (1 if seen > threshold[node] else 0)
            leaves[i, k] = node


def _find_leaves_vectorised(bins, near, guides, feature, threshold, left, leaves):
    n, n_neighbors = len(bins), len(near)
    padded = np.hstack([bins, np.full((n, 1), -1)])
    seen = np.empty((n, len(guides), n_neighbors + guides.shape[1]), np.int64)
    seen[:, :, :n_neighbors] = padded[:, None, near]
    seen[:, :, n_neighbors:] = guides
    rows, components = np.ogrid[:n, : len(guides)]
    leaves[:] = 0
    while (left[leaves] != leaves).any():
        passed = seen[rows, components, feature[leaves]] > threshold[leaves]
        inner = left[leaves] != leaves
        leaves[:] = np.where(inner, left[leaves] + passed, leaves)


find_leaves = jit(_find_leaves_loops, plain=_find_leaves_vectorised)


@jit
def _part(bins, i, near, j, guides, nodes, members, leaves, ends, todo):
    """Lead the components of a row down the tree; return the number of leaves.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
        Bins of the pixels: those of neighbours are read.
    i, j : int
        Row and pixel.
    near : ndarray of int of shape (n_features, n_neighbors)
    guides : ndarray of int of shape (n_features, n_components, n_guides)
    nodes : ndarray of int of shape (n_nodes, 3)
        Feature, threshold and left child.
    members : ndarray of int of shape (n_components,)
        Components, put into the order of their leaves.
    leaves, ends : ndarray of int of shape (n_components,)
        Filled: leaves, and where the members of each end.
    todo : ndarray of int of shape (n_components, 3)
        Space for nodes that wait, with the first and the last of their members.
    """
    n_neighbors = near.shape[1]
    n_found, n_todo = 0, 1
    todo[0, 0], todo[0, 1], todo[0, 2] = 0, 0, len(members)
    while n_todo:
        n_todo -= 1
        node, begin, end = todo[n_todo, 0], todo[n_todo, 1], todo[n_todo, 2]
        while nodes[node, 2] != node:
            f, threshold, left = nodes[node, 0], nodes[node, 1], nodes[node, 2]
            if f < n_neighbors:
                seen = bins[i, near[j, f]] if near[j, f] >= 0 else -1
                node = left + (seen > threshold)
                continue
            first, last = begin, end
            while first < last:
                if guides[j, members[first], f - n_neighbors] > threshold:
                    last -= 1
                    members[first], members[last] = members[last], members[first]
                else:
                    first += 1
            if first == begin:
                node = left + 1
            else:
                if first < end:
                    todo[n_todo, 0], todo[n_todo, 1] = left + 1, first
                    todo[n_todo, 2] = end
                    n_todo += 1
                node, end = left, first
        leaves[n_found], ends[n_found] = node, end
        n_found += 1
    return n_found


@jit
def _weigh(weights, members, n_found, ends, heavy):
    """Add up the weights of the members of each leaf."""
    begin = 0
    for g in range(n_found):
        heavy[g] = 0.0
        for place in range(begin, ends[g]):
            heavy[g] += weights[members[place]]
        begin = ends[g]


@jit
def _learn(weights, members, n_found, leaves, ends, probabilities, k, mass):
    """Multiply the weights of components by how likely they found the bin."""
    begin = 0
    for g in range(n_found):
        p = probabilities[leaves[g], k] / mass
        for place in range(begin, ends[g]):
            weights[members[place]] *= p
        begin = ends[g]


def _find_masses_loops(
    bins,
    near,
    guides,
    nodes,
    shares,
    probabilities,
    below,
    above,
    mass,
    under,
    over,
):
    """Fill in the probability of each pixel's bin, and that below and above it.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
    near, guides, nodes, shares, probabilities : ndarray
        See `_part` and `destructors.maps.PixelMixture`.
    below, above : ndarray of shape (n_nodes, n_bins + 1)
        Probability below and above each edge.
    mass, under, over : ndarray of shape (n_samples, n_features)
        Filled.
    """
    n_components = len(shares)
    weights, heavy = np.empty(n_components), np.empty(n_components)
    members = np.empty(n_components, np.int64)
    leaves, ends = np.empty(n_components, np.int64), np.empty(n_components, np.int64)
    todo = np.empty((n_components, 3), np.int64)
    for i in range(bins.shape[0]):
        for c in range(n_components):
            weights[c], members[c] = shares[c], c
        for j in range(bins.shape[1]):
            n_found = _part(
                bins, i, near, j, guides, nodes, members, leaves, ends, todo
            )
            _weigh(weights, members, n_found, ends, heavy)
            k = bins[i, j]
            mass[i, j] = under[i, j] = over[i, j] = 0.0
            for g in range(n_found):
                mass[i, j] += heavy[g] * probabilities[leaves[g], k]
                under[i, j] += heavy[g] * below[leaves[g], k]
                over[i, j] += heavy[g] * above[leaves[g], k + 1]
            _learn(
                weights, members, n_found, leaves, ends, probabilities, k, mass[i, j]
            )


def _find_masses_vectorised(
    bins,
    near,
    guides,
    nodes,
    shares,
    probabilities,
    below,
    above,
    mass,
    under,
    over,
):
    weights = np.tile(shares, (len(bins), 1))
    leaves = np.zeros(weights.shape, np.int64)
    for j in range(bins.shape[1]):
        find_leaves(bins, near[j], guides[j], *nodes.T, leaves)
        at, k = leaves, bins[:, j, None]
        p = probabilities[at, k]
        mass[:, j] = (weights * p).sum(axis=1)
        under[:, j] = (weights * below[at, k]).sum(axis=1)
        over[:, j] = (weights * above[at, k + 1]).sum(axis=1)
        weights *= p / mass[:, j, None]


find_masses = jit(_find_masses_loops, plain=_find_masses_vectorised)


def _find_passed_loops(
    lower,
    upper,
    near,
    guides,
    nodes,
    shares,
    probabilities,
    below,
    above,
    bins,
    mass,
    under,
    over,
):
    """Fill in the bins of pixels whose probabilities below and above are given.

    Parameters
    ----------
    lower, upper : ndarray of shape (n_samples, n_features)
        Probabilities below and above each pixel.
    near, guides, nodes, shares, probabilities, below, above :
        As of `find_masses`.
    bins, mass, under, over : ndarray of shape (n_samples, n_features)
        Filled.
    """
    n_components = len(shares)
    n_bins = probabilities.shape[1]
    weights, heavy = np.empty(n_components), np.empty(n_components)
    members = np.empty(n_components, np.int64)
    leaves, ends = np.empty(n_components, np.int64), np.empty(n_components, np.int64)
    todo = np.empty((n_components, 3), np.int64)
    for i in range(bins.shape[0]):
        for c in range(n_components):
            weights[c], members[c] = shares[c], c
        for j in range(bins.shape[1]):
            n_found = _part(
                bins, i, near, j, guides, nodes, members, leaves, ends, todo
            )
            _weigh(weights, members, n_found, ends, heavy)
            # The last edge that is not beyond, by the smaller of both probabilities.
            first, last = 0, n_bins - 1
            while first < last:
                middle, sum_ = (first + last + 1) // 2, 0.0
                if lower[i, j] < upper[i, j]:
                    for g in range(n_found):
                        sum_ += heavy[g] * below[leaves[g], middle]
                    passed = sum_ <= lower[i, j]
                else:
                    for g in range(n_found):
                        sum_ += heavy[g] * above[leaves[g], middle]
                    passed = sum_ >= upper[i, j]
                if passed:
                    first = middle
                else:
                    last = middle - 1
            k = first
            bins[i, j] = k
            mass[i, j] = under[i, j] = over[i, j] = 0.0
            for g in range(n_found):
                mass[i, j] += heavy[g] * probabilities[leaves[g], k]
                under[i, j] += heavy[g] * below[leaves[g], k]
                over[i, j] += heavy[g] * above[leaves[g], k + 1]
            _learn(
                weights, members, n_found, leaves, ends, probabilities, k, mass[i, j]
            )


def _find_passed_vectorised(
    lower,
    upper,
    near,
    guides,
    nodes,
    shares,
    probabilities,
    below,
    above,
    bins,
    mass,
    under,
    over,
):
    bins[:] = 0
    weights = np.tile(shares, (len(bins), 1))
    leaves, n_bins = np.zeros(weights.shape, np.int64), probabilities.shape[1]
    for j in range(bins.shape[1]):
        find_leaves(bins, near[j], guides[j], *nodes.T, leaves)
        first, last = np.zeros(len(bins), np.int64), np.full(len(bins), n_bins - 1)
        while (first < last).any():
            middle = (first + last + 1) // 2
            at = leaves, middle[:, None]
            passed = np.where(
                lower[:, j] < upper[:, j],
                (weights * below[at]).sum(axis=1) <= lower[:, j],
                (weights * above[at]).sum(axis=1) >= upper[:, j],
            )
            first = np.where(passed, middle, first)
            last = np.where(passed, last, middle - 1)
        bins[:, j], k = first, first[:, None]
        p = probabilities[leaves, k]
        mass[:, j] = (weights * p).sum(axis=1)
        under[:, j] = (weights * below[leaves, k]).sum(axis=1)
        over[:, j] = (weights * above[leaves, k + 1]).sum(axis=1)
        weights *= p / mass[:, j, None]


find_passed = jit(_find_passed_loops, plain=_find_passed_vectorised)
