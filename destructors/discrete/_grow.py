"""Growing a tree-structured permutation, one split at a time."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout, add_counts, count, score_split, xlogx
from destructors.maps._permutation import Permutation
from destructors.rows import Rows, is_over

# Codes that splits can single out, the most frequent ones.
_MAX_SINGLES = 512
# Codes of a column that are put in an order, whose beginnings are candidates as well.
_MAX_ORDERED = 128
# Numbers in the tables of all nodes that wait for their turn. Beyond that, a node
# counts its own table when its turn comes.
_MAX_WAITING = 2**24
# Numbers that the quick score of splits sorts at once.
_MAX_SCREENED = 2**20
# Splits in a row that may gain nothing: two tests can gain together what neither does
# alone. Those behind which nothing is gained are taken back in the end.
_MAX_IDLE = 2


# A split: the column, the codes that go left and, where it is known, the weight at each
# code among the rows that do.
Candidate = tuple[int, NDArray, NDArray | None]


@dataclass
class Node:
    """A part of the rows, the codes it can have, and the place that each has come to.

    ``table`` counts the rows that have the code of each line, where the parent has left
    it.
    """

    rows: NDArray
    mapping: NDArray
    domain: NDArray
    depth: int = 0
    n_idle: int = 0
    table: NDArray | None = None
    feature: int = -1
    children: "list[Node]" = field(default_factory=list)


class Growth:
    """A tree in the making.

    Parameters
    ----------
    rows : Rows
        Codes.
    parents : ndarray of shape (n_features,) or None
        The tree of pairs whose likelihood is to rise: parent of each feature, -1 for
        none. None for independent columns.
    rule : TreePermutation
        How to grow: the parameters of this estimator.
    min_gain : float
        Its ``min_gain``, as a number.
    rng : RandomState
        Source of randomness, for random splits.

    Attributes
    ----------
    importances : ndarray of shape (n_features,)
        Log-likelihood that the splits on each feature bring, in nats times weight.
    """

    def __init__(
        self,
        rows: Rows,
        parents: NDArray | None,
        rule: Any,
        min_gain: float,
        rng: np.random.RandomState,
    ):
        assert rows.kinds is not None
        self.layout = layout = Layout.of(rows.kinds, parents)
        self.places, self.weight = layout.places(rows.values), rows.weights
        self.rule, self.min_gain, self.rng = rule, min_gain, rng
        self.importances = np.zeros(rows.n_features)
        # Counts by place, of all rows where their codes have come to.
        self.together = np.zeros((len(rows), 1), dtype=np.int64)
        self.counts = self._count(np.arange(len(rows)))
        # Codes that no row has keep their places: nothing is known that could be gained
        # by moving them, and what was not seen stays so in all layers of a stack.
        alone = self.counts[: layout.cells[0]]
        self.seen = alone > 0
        # The codes that splits can single out; each has a line in a node's table.
        order = np.argsort(-alone, kind="stable")[:_MAX_SINGLES]
        self.singles = np.sort(order[alone[order] > 0])
        line = np.full(layout.cells[0], -1)
        line[self.singles] = np.arange(len(self.singles))
        self.codes = self.places[:, : rows.n_features]
        self.lines = line[self.codes]

    def grow(self) -> Permutation:
        """Grow the tree."""
        n_codes, rule = self.layout.cells[0], self.rule
        mapping = np.arange(n_codes) - self.layout.offsets[:n_codes]
        root = Node(np.arange(len(self.places)), mapping, np.ones(n_codes, dtype=bool))
        waiting = deque([root])
        # When time is up, whoever waits stays a leaf.
        while waiting and not (root.children and is_over()):
            node = waiting.popleft()
            mass = self.weight[node.rows].sum()
            if node.depth < rule.max_depth and mass >= rule.min_samples_split:
                self._split(node)
                self._divide_table(node, len(waiting))
                waiting.extend(node.children)
            node.table = None
        _prune(root)
        return _assemble(root, self.layout)

    # ------------------------------------------------------------------ counts

    def _count(self, rows: NDArray) -> NDArray:
        table = np.zeros((1, self.layout.cells[-1]))
        return count(self.together, self.places, self.weight, rows, table)[0]

    def _count_table(self, rows: NDArray) -> NDArray:
        table = np.zeros((len(self.singles), self.layout.cells[0]))
        return count(self.lines, self.codes, self.weight, rows, table)

    def _divide_table(self, node: Node, n_waiting: int) -> None:
        """Count the smaller child; the other has what is left of the node's table."""
        table = node.table
        is_last = not node.children or node.depth + 1 >= self.rule.max_depth
        if is_last or table is None or (n_waiting + 2) * table.size > _MAX_WAITING:
            return
        smaller, larger = sorted(node.children, key=lambda child: len(child.rows))
        smaller.table = self._count_table(smaller.rows)
        table -= smaller.table
        larger.table = table

    # ------------------------------------------------------------------ splits

    def _split(self, node: Node) -> None:
        """Split a node by the best candidate, if one helps."""
        counts, layout = self._count(node.rows), self.layout
        candidates = self._propose(node, counts[: layout.cells[0]])
        if not candidates:
            return
        around = add_counts(counts, node.mapping, layout, self.counts.copy(), -1.0)
        # Rounding leaves no debris.
        around[around < 1e-9 * self.counts] = 0.0
        tried = [self._score(node, counts, around, each) for each in candidates]
        best = int(np.argmax([gain for gain, _, _ in tried]))
        if tried[best][0] <= 0.0 and self.rule.splitter == "glp":
            if node.n_idle >= _MAX_IDLE:
                return
            # The most promising by itself, for what may come behind it.
            best = 0
        (gain, domains, maps), node.feature = tried[best], candidates[best][0]
        n_idle = 0
        if gain <= 0.0:
            gain, n_idle, maps = 0.0, node.n_idle + 1, np.array([node.mapping] * 2)
        self.importances[node.feature] += gain
        goes_left = domains[0, self.places[node.rows, node.feature]]
        sides = node.rows[goes_left], node.rows[~goes_left]
        add_counts(counts, node.mapping, layout, self.counts, -1.0)
        for rows, mapping, domain in zip(sides, maps, domains, strict=True):
            add_counts(self._count(rows), mapping, layout, self.counts, 1.0)
            node.children.append(Node(rows, mapping, domain, node.depth + 1, n_idle))
        np.maximum(self.counts, 0.0, out=self.counts)

    def _score(
        self, node: Node, counts: NDArray, around: NDArray, candidate: Candidate
    ) -> tuple[float, NDArray, NDArray]:
        """Return what a candidate gains, and for each of the two sides the codes that
        it can have and their places.
        """
        layout, (feature, members, left) = self.layout, candidate
        domains = np.array([node.domain, node.domain])
        domains[0, layout.block(feature)] = False
        domains[0, members] = node.domain[members]
        domains[1, members] = False
        has_links = layout.cells[0] < layout.cells[-1]
        if left is None or has_links:
            goes_left = domains[0, self.places[node.rows, feature]]
            left = self._count(node.rows[goes_left])
        sides = np.array([left, counts - left])
        # Rounding leaves no debris.
        sides[1][sides[1] < 1e-9 * counts] = 0.0
        moving = domains & self.seen
        part = sides, node.mapping, moving, around, layout, self.min_gain
        starts = (True, False) if has_links else (True,)
        found = [score_split(*part, matched) for matched in starts]
        gain, maps = max(found, key=lambda each: each[0])
        return gain, domains, maps

    # ------------------------------------------------------------------ candidates

    def _draw(self, counts: NDArray, mass: float, least: float) -> list[Candidate]:
        """Draw a column and one of its codes; none where no split is possible."""
        [possible] = np.nonzero((counts >= least) & (mass - counts >= least))
        if not len(possible):
            return []
        features = self.layout.columns[possible]
        j = self.rng.choice(np.unique(features))
        own = possible[features == j]
        return [(int(j), own[[self.rng.randint(len(own))]], None)]

    def _propose(self, node: Node, counts: NDArray) -> list[Candidate]:
        """Return the splits that help most by themselves: a code against the rest, or a
        beginning of the ordered codes of a column.

        Codes are ordered by the first axis of correspondence analysis, along which the
        other columns change most; the best bipartition often begins it.
        """
        layout, codes, rule = self.layout, self.singles, self.rule
        mass = counts[layout.block(0)].sum()
        least = max(rule.min_samples_leaf, 1e-12 * mass)
        if rule.splitter == "random":
            return self._draw(counts, mass, least)
        if node.table is None:
            node.table = self._count_table(node.rows)
        members: list[NDArray] = []
        sides = [np.empty((0, len(counts)))]
        # Lines are in the order of the columns.
        present = np.flatnonzero(counts[codes] > 0)
        column = layout.columns[codes[present]]
        ends = np.searchsorted(column, np.arange(len(layout.sizes) + 1))
        for start, end in pairwise(ends):
            own = present[start:end]
            if not len(own) or counts[codes[own[0]]] == mass:
                continue
            members.extend(own[:, None])
            sides.append(node.table[own])
            if len(own) > 3:
                block = layout.block(column[start])
                order = own[_order(node.table[own], counts, mass, block)]
                # The first and the last are alone on their sides, as above.
                members.extend(order[:k] for k in range(2, len(order) - 1))
                sides.append(np.cumsum(node.table[order], axis=0)[1:-2])
        features = np.array([layout.columns[codes[lines[0]]] for lines in members], int)
        left = np.concatenate(sides)
        size = left[:, layout.block(0)].sum(axis=1)
        [kept] = np.nonzero(np.minimum(size, mass - size) >= least)
        gains = self._screen(features[kept], left[kept], counts)
        # Rounding must not decide between equals, or weights would not equal repeats.
        best = kept[np.argsort(-gains.round(6), kind="stable")[: rule.max_candidates]]
        return [(int(features[i]), codes[members[i]], left[i]) for i in best]

    def _screen(self, features: NDArray, left: NDArray, counts: NDArray) -> NDArray:
        """Score splits by the rows of the node alone, in nats times weight.

        The score is the log-likelihood that independent columns would gain if on both
        sides the r-th most frequent code of each column took the same place.
        """
        gains, right = np.zeros(len(features)), counts - left
        sizes, starts = self.layout.sizes, self.layout.starts[:-1]
        # Columns of one size at once, but no more than a block of them.
        for size in np.unique(sizes):
            alike = np.flatnonzero(sizes == size)
            step = max(1, _MAX_SCREENED // (int(size) * max(1, len(left))))
            for columns in np.split(alike, np.arange(step, len(alike), step)):
                places = starts[columns, None] + np.arange(size)
                together = np.sort(left[:, places], axis=2)
                together += np.sort(right[:, places], axis=2)
                gain = xlogx(together).sum(axis=2) - xlogx(counts[places]).sum(axis=1)
                own = features[:, None] == columns
                gains += np.where(own, 0.0, gain).sum(axis=1)
        return gains


def _order(table: NDArray, counts: NDArray, mass: float, own: slice) -> NDArray:
    """Order codes by the first axis of correspondence analysis."""
    if len(table) > _MAX_ORDERED:
        frequent = np.argsort(-table[:, own].sum(axis=1), kind="stable")[:_MAX_ORDERED]
        return frequent[_order(table[frequent], counts, mass, own)]
    weight = table[:, own].sum(axis=1)
    seen = counts > 0
    seen[own] = False
    expected = np.outer(weight, counts[seen]) / mass
    residual = (table[:, seen] - expected) / np.sqrt(expected)
    _, vectors = np.linalg.eigh(residual @ residual.T)
    return np.argsort(vectors[:, -1] / np.sqrt(weight), kind="stable")


# ------------------------------------------------------------------ the finished tree


def _prune(node: Node) -> None:
    """Make a leaf of a node whose leaves treat all rows alike."""
    for child in node.children:
        _prune(child)
    if not node.children or any(child.children for child in node.children):
        return
    left, right = node.children
    if (left.mapping == right.mapping)[left.domain & right.domain].all():
        node.mapping = np.where(left.domain, left.mapping, right.mapping)
        node.feature, node.children = -1, []


def _assemble(root: Node, layout: Layout) -> Permutation:
    """Put the nodes in arrays; children come after their parents."""
    nodes, children, masks = [root], [], []
    maps: list[NDArray] = []
    for node in nodes:
        mask = np.zeros((2, layout.sizes.max()), dtype=bool)
        if node.children:
            left, block = node.children[0], layout.block(node.feature)
            [members] = np.nonzero(left.domain[block])
            mask[0, members] = True
            # Whatever happens below, these codes keep these places among them.
            mask[1, left.mapping[block][members]] = True
            children.append([len(nodes), len(nodes) + 1])
            nodes.extend(node.children)
        else:
            children.append([len(maps)] * 2)
            maps.append(node.mapping)
        masks.append(mask)
    features = np.array([node.feature for node in nodes])
    before, after = np.stack(masks, axis=1)
    places = np.array(maps, dtype=np.int32)
    return Permutation(
        layout.sizes, features, np.array(children), before, after, places
    )
