"""Trees of boxes on the unit cube, one after the other; in loops and vectorised.

A tree is the list of its splits in the order they are made. Node 0 is the cube. Split
``k`` cuts a node in two: ``2 k + 1``, below the cut, and ``2 k + 2``, above it. The cut
of a feature stands at ``t_in`` before the map and at ``t_out`` after it, so each node
is a box on either side, and the map takes the box of each leaf to its image, affinely
along each feature.

A row finds its leaf by comparing with ``t_in``; on the way back by comparing with
``t_out``. No rounding carries a row out of the image of its box, so it finds the same
leaf. Cuts are single precision numbers, which halves the memory; the map they define is
evaluated in double precision, so nothing of its exactness is lost.

A coordinate at 0 or 1 exactly is beyond the cube and stays there; it is not part of the
determinant.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._cube import from_cube, to_cube
from destructors.maps._jit import are_starts, has_numba, jit
from destructors.maps._map import BothWays, Mapped
from destructors.maps._tree_walk import FEW, Walk, list_splits, walk_rows

SPLIT = np.dtype([("node", "i4"), ("feature", "i4"), ("t_in", "f4"), ("t_out", "f4")])

# Rows go down a tree in groups, one level at a time: the loads of one row then overlap
# with those of the others.
_GROUP = np.uint64(32)
# Leaves are found of so many rows at least, and of as many as a tree has splits, before
# maps are written for those that are new.
_LEAST_ROWS = 1024
# A product of slopes is turned into its logarithm before it leaves these bounds.
_SMALL, _LARGE = 1e-200, 1e200
# Of rows whose leaves are to be found.
UNKNOWN = np.empty(0, np.uint32)
# Levels above a split that are looked at in a file: no tree that was learned has more,
# and it may take their number times that of the splits.
_MOST_LEVELS = 1000
# Times this, a number goes to the next smaller one.
_BELOW = 1.0 - 2.0**-53
# Unsigned numbers spare numba the test for indices that count from the end.
_0, _1, _2, _3 = map(np.uint64, range(4))


@dataclass(frozen=True, eq=False, repr=False)
class Trees(BothWays):
    r"""Move boxes of the unit cube to other boxes, tree after tree.

    A row enters the cube by the normal distribution function, goes through all trees
    there, and comes back. A tree cuts the cube into boxes and maps each to its image,
    affinely along each feature:

    .. math:: u_j \mapsto a'_j + \frac{b'_j - a'_j}{b_j - a_j} (u_j - a_j)

    where :math:`[a_j, b_j)` is the box and :math:`[a'_j, b'_j)` its image. A coordinate
    5 or more from 0 is beyond the cube: it stays what it is and adds nothing to the
    determinant, while the row's other coordinates are mapped as on the face of the
    cube.

    ``trees[i]`` is the map of one tree, ``trees[:k]`` that of the first k.

    Parameters
    ----------
    splits : ndarray of shape (n_splits,)
        Those of all trees, one tree after the other, each in the order in which its
        boxes are cut. A record of ``node`` and ``feature``, what is cut and along
        which axis, and ``t_in`` and ``t_out``, where the cut stands before the map and
        after it. Node 0 of a tree is the cube; its split ``k`` makes the nodes
        ``2 k + 1``, below the cut, and ``2 k + 2``, above it.
    starts : ndarray of shape (n_trees + 1,), dtype int64
        Where the splits of each tree begin. Without trees the map is the identity.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3.3.

    Examples
    --------
    One tree that cuts the first feature in the middle and moves the cut to 0.8:

    >>> import numpy as np
    >>> from destructors.maps import Trees
    >>> half = np.array([(0, 0, 0.5, 0.8)], "i4, i4, f4, f4")
    >>> Z, log_det = Trees.of([half]).forward(np.array([[-1e-9, 1.0], [1e-9, 1.0]]))
    >>> Z.round(2)
    array([[0.84, 1.  ],
           [0.84, 1.  ]])
    """

    splits: NDArray
    starts: NDArray

    # Records; of which type is checked here.
    _any_dtype = ("splits",)

    def __post_init__(self) -> None:
        # Compiled loops look at nothing else before they follow the nodes.
        splits, starts = self.splits, self.starts
        listed = splits.dtype == SPLIT and splits.ndim == 1
        if listed and are_starts(starts, len(splits)):
            own = np.arange(len(splits)) - np.repeat(starts[:-1], np.diff(starts))
            node, feature = splits["node"], splits["feature"]
            if ((node >= 0) & (node <= 2 * own) & (feature >= 0)).all():
                return
        raise ValueError(
            "Trees needs splits of nodes that are there, one tree after the other, and "
            f"starts that part them by trees; got {self!r}."
        )

    def is_valid(self) -> bool:
        """Return whether each cut is inside the box that it cuts, as is its image."""
        node, feature = self.splits["node"], self.splits["feature"]
        cuts = np.stack([self.splits["t_in"], self.splits["t_out"]])
        if not ((cuts > 0.0) & (cuts < 1.0)).all():
            return False
        # From each split up to the first, by cuts of its feature: the nearest is the
        # tightest, but each has to be met.
        split = np.arange(len(node))
        first = np.repeat(self.starts[:-1], np.diff(self.starts))
        at = node
        for _ in range(_MOST_LEVELS):
            split, at = split[at > 0], at[at > 0]
            if not len(split):
                break
            above = first[split] + (at - 1) // 2
            same = feature[above] == feature[split]
            sign = np.where(at % 2 == 1, 1.0, -1.0)
            apart = sign * (cuts[:, above] - cuts[:, split].astype(np.float64))
            if not (apart > 0.0).all(axis=0)[same].all():
                return False
            at = node[above]
        return True

    @cached_property
    def _last_feature(self) -> int:
        return int(self.splits["feature"].max())

    @cached_property
    def _walks(self) -> list[Walk]:
        return [list_splits(tree.splits) for tree in self]

    @classmethod
    def of(cls, trees: Iterable[NDArray]) -> "Trees":
        """Return the map of trees, each given by the array of its splits."""
        trees = [np.asarray(tree, SPLIT) for tree in trees]
        starts = np.cumsum([0, *map(len, trees)], dtype=np.int64)
        return cls(np.concatenate([np.empty(0, SPLIT), *trees]), starts)

    # ------------------------------------------------------------------ a sequence

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> "Iterator[Trees]":
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice) -> "Trees":
        if not isinstance(index, slice):
            i = range(len(self))[index]
            index = slice(i, i + 1)
        first, last, step = index.indices(len(self))
        if step != 1:
            raise ValueError(f"{index} is not a run of trees.")
        starts = self.starts[first : max(first, last) + 1]
        return Trees(self.splits[starts[0] : starts[-1]], starts - starts[0])

    # ------------------------------------------------------------------ a map

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        if len(self.splits) == 0:
            return X.copy(), np.zeros(len(X))
        if (d := X.shape[1]) <= self._last_feature:
            raise ValueError(
                f"These trees split column {self._last_feature}; there are {d} columns."
            )
        U, log_det, back = to_cube(X), np.zeros(len(X)), way == "inverse"
        if len(X) <= FEW and not has_numba():
            log_det = walk_rows(U, self._walks, back)
        else:
            beyond = beyond_cube(U)
            push_trees(U, beyond, self.splits, self.starts, log_det, back, UNKNOWN)
        return from_cube(U, X, log_det)


# ---------------------------------------------------------------------- finding leaves


def beyond_cube(U: NDArray) -> NDArray:
    """Return which rows have a coordinate beyond the cube."""
    return np.any((U <= 0.0) | (U >= 1.0), axis=1)


@jit
def routes(splits, inverse):
    """Write out what a row needs to find its leaf.

    Returns
    -------
    feature, child : ndarray of shape (n_nodes,)
        What is compared, and where a row below the cut goes; one above goes to the
        next. A leaf leads to itself.
    cut : ndarray of shape (n_nodes,)
    n_levels : int
        Depth of the tree.
    """
    # Unsigned numbers spare numba the test for indices that count from the end.
    n = 2 * len(splits) + 1
    feature, child = np.empty(n, np.uint64), np.empty(n, np.uint64)
    cut, depth, n_levels = np.empty(n), np.empty(n, np.int64), 0
    for node in range(n):
        feature[node], child[node], cut[node], depth[node] = 0, node, np.inf, 0
    for k in range(len(splits)):
        node = splits[k]["node"]
        feature[node], child[node] = splits[k]["feature"], 2 * k + 1
        cut[node] = splits[k]["t_out"] if inverse else splits[k]["t_in"]
        level = depth[node] + 1
        depth[2 * k + 1] = depth[2 * k + 2] = level
        if level > n_levels:
            n_levels = level
    return feature, child, cut, n_levels


# ---------------------------------------------------------------------- compiled


@jit
def _mark(splits, at, n_rows, end, marked):
    """Mark the leaves of rows whose maps are not written yet, and the way there."""
    for node in range(len(marked)):
        marked[node] = 0
    for r in range(n_rows):
        marked[at[r]] = end[at[r]] == 0
    for i in range(len(splits)):
        k = np.uint64(len(splits) - 1 - i)
        below = _2 * k + _1
        marked[np.uint64(splits[k]["node"])] |= marked[below] | marked[below + _1]


@jit
def _write_maps(splits, child, marked, inverse, box, unmet, way, kept, maps, free):
    """Write out the affine maps of the leaves that are marked, from ``free`` on.

    The tree is walked from the cube down, and the box of the node at hand is changed at
    each step and restored on the way back.

    Parameters
    ----------
    box, unmet : ndarray of shape (n_features, 4) and (n_features,)
        To work in. The box holds ``low, -high`` and their images, and is the cube; no
        feature is met yet. So they are on return too.
    way, kept : ndarray of shape (n_levels + 1, 4) and (n_levels + 1, 2)
        To work in: nodes on the way, turns taken there, whether they met a feature, and
        which feature is met there first; and what their cuts have replaced.
    maps : tuple of ndarray
        What is written: of each node, where its map begins and ends and the product of
        its slopes; and of each piece, its feature, and ``start, slope, image, last``:
        ``u`` goes to ``image + slope (u - start)``, but not beyond ``last``.

    Returns
    -------
    free : int
        Where the next map may begin.
    """
    begin, end, log_dets, which, pieces = maps
    depth, n_met = _0, _0
    way[0, _0], way[0, _1] = _0, _0
    while True:
        node, turn = way[depth, _0], way[depth, _1]
        below = child[node]
        if below == node:
            begin[node] = free
            log_det, product = 0.0, 1.0
            for p in range(n_met):
                f = way[p, _3]
                low, high = box[f, _0], -box[f, _1]
                low_image, high_image = box[f, _2], -box[f, _3]
                # What is only asked for keeps its bits: the next is written over it.
                # No branches here: no one could foretell them.
                moves = np.uint64(low != low_image) | np.uint64(high != high_image)
                if inverse:
                    low, high, low_image, high_image = low_image, high_image, low, high
                slope = (high_image - low_image) / (high - low)
                which[free], pieces[free, _0], pieces[free, _1] = f, low, slope
                pieces[free, _2], pieces[free, _3] = low_image, high_image * _BELOW
                free += moves
                product *= slope
                if not _SMALL < product < _LARGE:
                    log_det += np.log(product)
                    product = 1.0
            end[node], log_dets[node] = free, log_det + np.log(product)
            if node == _0:
                return free
            depth -= _1
            continue
        k = (below - _1) >> _1
        f = np.uint64(splits[k]["feature"])
        if turn > _0:
            # Back from a side: the box is again what it was.
            side = _2 - turn
            box[f, side], box[f, side + _2] = kept[depth, _0], kept[depth, _1]
            n_met -= way[depth, _2]
            unmet[f] |= way[depth, _2]
        if turn == _2:
            if node == _0:
                return free
            depth -= _1
            continue
        way[depth, _1] = turn + _1
        side = _1 - turn
        kept[depth, _0], kept[depth, _1] = box[f, side], box[f, side + _2]
        way[depth, _2] = _0
        if marked[below + turn]:
            sign = 1.0 - 2.0 * np.float64(side)
            # The cut nearest to the leaf is the tightest.
            box[f, side] = sign * splits[k]["t_in"]
            box[f, side + _2] = sign * splits[k]["t_out"]
            way[depth, _2] = unmet[f]
            way[n_met, _3] = f
            n_met += unmet[f]
            unmet[f] = _0
            depth += _1
            way[depth, _0], way[depth, _1] = below + turn, _0


def _push_loops(U, beyond, splits, starts, log_det, inverse, leaves):
    """Push rows through trees, in place; add to ``log_det``.

    Parameters
    ----------
    U : ndarray of shape (n_samples, n_features)
        Points of the closed unit cube.
    beyond : ndarray of shape (n_samples,), dtype bool
        What `beyond_cube` returns; pushing does not change it.
    splits : ndarray of shape (n_splits,), dtype SPLIT
        Those of all trees, one tree after the other.
    starts : ndarray of shape (n_trees + 1,), dtype int64
        Where each tree begins.
    log_det : ndarray of shape (n_samples,)
        What is added to, in nats.
    inverse : bool
        Whether to go from the last tree to the first, and back through each.
    leaves : ndarray of shape (n_samples,) or (0,), dtype uint32
        Leaf of each row, where there is one tree and they are known.
    """
    n, d = U.shape
    n_trees, is_known = len(starts) - 1, len(leaves) > 0
    box, unmet = np.empty((d, 4)), np.empty(d, np.uint64)
    for j in range(d):
        box[j, _0], box[j, _1], box[j, _2], box[j, _3] = 0.0, -1.0, 0.0, -1.0
        unmet[j] = 1
    for i in range(n_trees):
        tree = n_trees - 1 - i if inverse else i
        part = splits[starts[tree] : starts[tree + 1]]
        feature, child, cut, n_levels = routes(part, inverse)
        # Maps of leaves are written when a row first comes there.
        n_nodes = len(child)
        begin, end = np.empty(n_nodes, np.uint64), np.empty(n_nodes, np.uint64)
        log_dets, marked = np.empty(n_nodes), np.empty(n_nodes, np.uint8)
        for node in range(n_nodes):
            end[node] = 0
        # One more than the maps can fill: a piece is written before it is known to
        # count. The first map begins at 1, so that none ends at 0.
        size = (len(part) + 1) * (n_levels if n_levels < d else d) + 2
        which, pieces = np.empty(size, np.uint64), np.empty((size, 4))
        way, kept = np.empty((n_levels + 1, 4), np.uint64), np.empty((n_levels + 1, 2))
        maps, free = (begin, end, log_dets, which, pieces), _1
        n_together = min(n, max(_LEAST_ROWS, len(part)))
        at = np.empty(n_together, np.uint64)
        for start in range(0, n, n_together):
            first, last = np.uint64(start), np.uint64(min(start + n_together, n))
            for r in range(first, last):
                at[r - first] = leaves[r] if is_known else _0
            if not is_known:
                for g in range(first, last, _GROUP):
                    rows = range(g, min(g + _GROUP, last))
                    for _ in range(n_levels):
                        for r in rows:
                            k = at[r - first]
                            above = np.uint64(U[r, feature[k]] >= cut[k])
                            at[r - first] = child[k] + above
            _mark(part, at, last - first, end, marked)
            if marked[0]:
                free = _write_maps(
                    part, child, marked, inverse, box, unmet, way, kept, maps, free
                )
            for r in range(first, last):
                k = at[r - first]
                for p in range(begin[k], end[k]):
                    f = which[p]
                    u = U[r, f]
                    if beyond[r] and not 0.0 < u < 1.0:
                        log_det[r] -= np.log(pieces[p, _1])
                        continue
                    u = pieces[p, _2] + pieces[p, _1] * (u - pieces[p, _0])
                    U[r, f] = min(u, pieces[p, _3])
                log_det[r] += log_dets[k]


# ---------------------------------------------------------------------- vectorised


def find_leaves(U: NDArray, splits: NDArray, inverse: bool = False) -> NDArray:
    """Return the node at which each row ends, among boxes or among their images."""
    feature, child, cut, n_levels = routes(splits, inverse)
    feature, child = feature.astype(np.int64), child.astype(np.int64)
    rows, at = np.arange(len(U)), np.zeros(len(U), np.int64)
    for _ in range(n_levels):
        at = child[at] + (U[rows, feature[at]] >= cut[at])
    return at


def leaf_boxes(splits: NDArray, leaves: NDArray, n_features: int) -> list[NDArray]:
    """Return the boxes of leaves and their images.

    Parameters
    ----------
    splits : ndarray of shape (n_splits,), dtype SPLIT
        A tree.
    leaves : ndarray of shape (n_leaves,)
        Numbers of nodes.
    n_features : int
        Number of features.

    Returns
    -------
    low, high, low_image, high_image : ndarray of shape (n_leaves, n_features)
    """
    # As `_write_map` holds them: the largest counts.
    box = np.zeros((4, len(leaves), n_features))
    box[[1, 3]] = -1.0
    rows, node = np.arange(len(leaves)), leaves
    while len(node):
        rows, node = rows[node > 0], node[node > 0]
        split, is_below = splits[(node - 1) // 2], node % 2
        for first, cut in ((0, split["t_in"]), (2, split["t_out"])):
            place = first + is_below, rows, split["feature"]
            box[place] = np.maximum(box[place], (1.0 - 2.0 * is_below) * cut)
        node = split["node"]
    return [box[0], -box[1], box[2], -box[3]]


def _push_vectorised(U, beyond, splits, starts, log_det, inverse, leaves):
    trees = range(len(starts) - 1)
    for tree in reversed(trees) if inverse else trees:
        part = splits[starts[tree] : starts[tree + 1]]
        ends = leaves if len(leaves) else find_leaves(U, part, inverse)
        met, at = np.unique(ends, return_inverse=True)
        low, high, low_image, high_image = leaf_boxes(part, met, U.shape[1])
        if inverse:
            low, high, low_image, high_image = low_image, high_image, low, high
        slope = (high_image - low_image) / (high - low)
        moved = low_image[at] + slope[at] * (U - low[at])
        np.minimum(moved, (high_image * _BELOW)[at], out=moved)
        same = (low == low_image) & (high == high_image)
        inside = (U > 0.0) & (U < 1.0) & ~same[at]
        np.copyto(U, moved, where=inside)
        log_det += np.sum(np.log(slope)[at], axis=1, where=inside)


push_trees = jit(_push_loops, plain=_push_vectorised)
