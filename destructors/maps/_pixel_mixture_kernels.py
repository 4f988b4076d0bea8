"""The kernels of mixtures of pixel trees: components that see the same go together."""

import numpy as np
from numpy.typing import NDArray

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


# What is learned, in the order of `destructors.maps.PixelMixture`: neighbors, guides,
# nodes (feature, threshold, left child, question), shares, probabilities, probability
# below and above each edge, answers, and the places of single bits.
Learned = tuple[NDArray, ...]
# Rows that go through a pixel one after the other, while its answers are in the cache.
_N_ROWS = 64
_WORD = 64
# Times this number the 64 words of one bit differ in their first six bits.
_DE_BRUIJN = 0x03F79D71B4CB0A89


def find_answers(guides, nodes, n_neighbors):
    """Return what components answer to all that is asked about their guides.

    Parameters
    ----------
    guides : ndarray of int of shape (n_features, n_components, n_guides)
    nodes : ndarray of int of shape (n_nodes, 3)
        Feature, threshold and left child.
    n_neighbors : int
        Features before the guides.

    Returns
    -------
    question : ndarray of int of shape (n_nodes,)
        Number of the question of each node; of others than of guides it is -1.
    answers : ndarray of uint64 of shape (n_features, n_questions, n_words)
        Bits of the components whose guide is above the threshold, 64 in a word.
    """
    d, n_components, _ = guides.shape
    question = np.full(len(nodes), -1)
    asks = (nodes[:, 0] >= n_neighbors) & (nodes[:, 2] != np.arange(len(nodes)))
    questions, question[asks] = np.unique(nodes[asks, :2], axis=0, return_inverse=True)
    n_words = -(-n_components // _WORD)
    answers = np.zeros((d, max(len(questions), 1), n_words * _WORD // 8), np.uint8)
    for number, (feature, threshold) in enumerate(questions):
        above = guides[:, :, feature - n_neighbors] > threshold
        bits = np.packbits(above, axis=1, bitorder="little")
        answers[:, number, : bits.shape[1]] = bits
    return question, answers.view("<u8").astype(np.uint64)


def find_places():
    """Return the place of the bit, by the first six bits of its word's product."""
    words = np.uint64(1) << np.arange(_WORD, dtype=np.uint64)
    places = np.empty(_WORD, np.int64)
    places[(words * np.uint64(_DE_BRUIJN)) >> np.uint64(58)] = np.arange(_WORD)
    return places


@jit
def _part(bins, i, j, learned, members, leaves, ends, todo, groups):
    """Lead the components of a row down the tree; return the number of leaves.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
        Bins of the pixels: those of neighbours are read.
    i, j : int
        Row and pixel.
    learned : tuple of ndarray
        See `Learned`.
    members : ndarray of int of shape (n_components,)
        Filled: components in the order of their leaves.
    leaves, ends : ndarray of int of shape (n_components,)
        Filled: leaves, and where the members of each end.
    todo : ndarray of int of shape (n_components,)
        Space for nodes that wait.
    groups : ndarray of uint64 of shape (n_components, n_words)
        Space for the components that wait there; all of them are in the first.
    """
    near, _, nodes, shares, _, _, _, answers, places = learned
    n_words = groups.shape[1]
    n_found, n_members, n_todo = 0, 0, 1
    for w in range(n_words):
        n_left = min(len(shares) - w * _WORD, _WORD)
        groups[0, w] = ~np.uint64(0) >> np.uint64(_WORD - n_left)
    todo[0] = 0
    while n_todo:
        group = n_todo - 1
        node = todo[group]
        while nodes[node, 2] != node:
            left, asked = nodes[node, 2], nodes[node, 3]
            if asked < 0:
                pixel = near[j, nodes[node, 0]]
                seen = bins[i, pixel] if pixel >= 0 else -1
                node = left + (seen > nodes[node, 1])
                continue
            some, all_ = False, True
            for w in range(n_words):
                above = groups[group, w] & answers[j, asked, w]
                some |= above != np.uint64(0)
                all_ &= above == groups[group, w]
            node = left
            if all_:
                node = left + 1
            elif some:
                # Those on the left are led on, above those that wait for the right.
                for w in range(n_words):
                    above = groups[group, w] & answers[j, asked, w]
                    groups[group + 1, w] = groups[group, w] & ~above
                    groups[group, w] = above
                todo[group] = left + 1
                group += 1
        for w in range(n_words):
            word = groups[group, w]
            while word != np.uint64(0):
                bit = word & (~word + np.uint64(1))
                place = places[(bit * np.uint64(_DE_BRUIJN)) >> np.uint64(58)]
                members[n_members] = w * _WORD + place
                n_members += 1
                word ^= bit
        leaves[n_found], ends[n_found] = node, n_members
        n_found += 1
        n_todo = group
    return n_found


@jit
def _weigh(weights, i, members, n_found, ends, heavy):
    """Add up the weights of the members of each leaf."""
    begin = 0
    for g in range(n_found):
        heavy[g] = 0.0
        for place in range(begin, ends[g]):
            heavy[g] += weights[i, members[place]]
        begin = ends[g]


@jit
def _sum_up(learned, k, n_found, leaves, heavy):
    """Return the probability of a bin, and those below and above it."""
    _, _, _, _, probabilities, below, above, _, _ = learned
    mass, under, over = 0.0, 0.0, 0.0
    for g in range(n_found):
        mass += heavy[g] * probabilities[leaves[g], k]
        under += heavy[g] * below[leaves[g], k]
        over += heavy[g] * above[leaves[g], k + 1]
    return mass, under, over


@jit
def _learn(weights, i, members, n_found, leaves, ends, probabilities, k, mass):
    """Multiply the weights of components by how likely they found the bin."""
    begin = 0
    for g in range(n_found):
        p = probabilities[leaves[g], k] / mass
        for place in range(begin, ends[g]):
            weights[i, members[place]] *= p
        begin = ends[g]


@jit
def _find_bin(lower, upper, learned, n_found, leaves, heavy):
    """Return the bin of a pixel by the probabilities below and above it: that of the
    last edge which is not beyond, by the smaller of them.
    """
    probabilities, below, above = learned[4], learned[5], learned[6]
    k, last = 0, probabilities.shape[1] - 1
    while k < last:
        middle, total = (k + last + 1) // 2, 0.0
        if lower < upper:
            for g in range(n_found):
                total += heavy[g] * below[leaves[g], middle]
            passed = total <= lower
        else:
            for g in range(n_found):
                total += heavy[g] * above[leaves[g], middle]
            passed = total >= upper
        if passed:
            k = middle
        else:
            last = middle - 1
    return k


def _find_masses_loops(bins, inverse, lower, upper, learned, mass, under, over):
    """Fill in the probability of each pixel's bin, and that below and above it.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
        Filled for the inverse.
    inverse : bool
        Whether to look for the bins.
    lower, upper : ndarray of shape (n_samples, n_features)
        For the inverse, probabilities below and above each pixel.
    learned : tuple of ndarray
        See `Learned`.
    mass, under, over : ndarray of shape (n_samples, n_features)
        Filled.
    """
    shares, probabilities, n_words = learned[3], learned[4], learned[7].shape[2]
    n_components = len(shares)
    weights, heavy = np.empty((_N_ROWS, n_components)), np.empty(n_components)
    members, todo = np.empty(n_components, np.int64), np.empty(n_components, np.int64)
    leaves, ends = np.empty(n_components, np.int64), np.empty(n_components, np.int64)
    groups = np.empty((n_components, n_words), np.uint64)
    for begin in range(0, bins.shape[0], _N_ROWS):
        n_rows = min(_N_ROWS, bins.shape[0] - begin)
        for i in range(n_rows):
            for c in range(n_components):
                weights[i, c] = shares[c]
        for j in range(bins.shape[1]):
            for i in range(n_rows):
                row = begin + i
                n_found = _part(
                    bins, row, j, learned, members, leaves, ends, todo, groups
                )
                _weigh(weights, i, members, n_found, ends, heavy)
                if inverse:
                    bins[row, j] = _find_bin(
                        lower[row, j], upper[row, j], learned, n_found, leaves, heavy
                    )
                k = bins[row, j]
                mass[row, j], under[row, j], over[row, j] = _sum_up(
                    learned, k, n_found, leaves, heavy
                )
                _learn(
                    weights,
                    i,
                    members,
                    n_found,
                    leaves,
                    ends,
                    probabilities,
                    k,
                    mass[row, j],
                )


def _find_masses_vectorised(bins, inverse, lower, upper, learned, mass, under, over):
    near, guides, nodes, shares, probabilities, below, above, _, _ = learned
    if inverse:
        bins[:] = 0
    weights = np.tile(shares, (len(bins), 1))
    leaves = np.zeros(weights.shape, np.int64)
    for j in range(bins.shape[1]):
        find_leaves(bins, near[j], guides[j], *nodes.T[:3], leaves)
        if inverse:
            given = lower[:, j], upper[:, j]
            bins[:, j] = _find_bins_vectorised(*given, weights, below, above, leaves)
        k = bins[:, j, None]
        p = probabilities[leaves, k]
        mass[:, j] = (weights * p).sum(axis=1)
        under[:, j] = (weights * below[leaves, k]).sum(axis=1)
        over[:, j] = (weights * above[leaves, k + 1]).sum(axis=1)
        weights *= p / mass[:, j, None]


def _find_bins_vectorised(lower, upper, weights, below, above, leaves):
    first = np.zeros(len(lower), np.int64)
    last = np.full(len(lower), above.shape[1] - 2)
    while (first < last).any():
        middle = (first + last + 1) // 2
        at = leaves, middle[:, None]
        passed = np.where(
            lower < upper,
            (weights * below[at]).sum(axis=1) <= lower,
            (weights * above[at]).sum(axis=1) >= upper,
        )
        first = np.where(passed, middle, first)
        last = np.where(passed, last, middle - 1)
    return first


find_masses = jit(_find_masses_loops, plain=_find_masses_vectorised)
