"""Growing a tree-structured permutation, one split at a time."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout, count_places, count_together
from destructors.discrete._links import add_counts, score_split, take_out
from destructors.discrete._screen import draw_candidate, frequent_codes, propose
from destructors.maps._permutation import Permutation
from destructors.rows import Rows, is_over

# Numbers in the tables of all nodes that wait for their turn. Beyond that, a node
# counts its own table when its turn comes.
_MAX_WAITING = 2**24
# Splits in a row that may gain nothing: two tests can gain together what neither does
# alone. Those behind which nothing is gained are taken back in the end.
_MAX_IDLE = 2


class GrowthRule(NamedTuple):
    """How a tree is grown; the names are those of the estimator's parameters."""

    splitter: str
    max_depth: int
    min_samples_split: float
    min_samples_leaf: float
    min_gain: float
    max_candidates: int


@dataclass
class Node:
    """A part of the rows, the codes it can have, and the place that each has come to.

    ``table`` is that of `count_together`, where the parent has left it.
    """

    rows: NDArray
    mapping: NDArray
    domain: NDArray
    depth: int
    n_idle: int = 0
    table: NDArray | None = None
    feature: int = -1
    children: "list[Node]" = field(default_factory=list)


class Split(NamedTuple):
    """A candidate that has been scored in full: what it gains, and for each of the two
    sides the codes that it can have and their places.
    """

    gain: float
    feature: int
    domains: NDArray
    maps: NDArray


class Growth:
    """A tree in the making.

    Parameters
    ----------
    rows : Rows
        Codes.
    parents : ndarray of shape (n_features,) or None
        The tree of pairs whose likelihood is to rise: parent of each feature, -1 for
        none. None for independent columns.
    rule : GrowthRule
        How to grow.
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
        rule: GrowthRule,
        rng: np.random.RandomState,
    ):
        self.layout = Layout.of(rows, parents)
        self.places, self.weight = self.layout.places(rows.values), rows.weights
        self.rule, self.rng, self.min_gain = rule, rng, float(rule.min_gain)
        # Counts by place, of all rows where their codes have come to.
        self.counts = self._count(np.arange(len(rows)))
        self.singles = frequent_codes(self.counts[: self.layout.n_codes])
        self.importances = np.zeros(rows.n_features)

    def grow(self) -> Permutation:
        """Grow the tree."""
        rule, everywhere = self.rule, np.ones(self.layout.n_codes, dtype=bool)
        everyone = np.arange(len(self.places))
        root = Node(everyone, np.arange(self.layout.n_codes), everywhere, 0)
        waiting = deque([root])
        # When time is up, whoever waits stays a leaf.
        while waiting and not (root.children and is_over()):
            node = waiting.popleft()
            mass = self.weight[node.rows].sum()
            if node.depth < rule.max_depth and mass >= rule.min_samples_split:
                counts = self._count(node.rows)
                split = self._find_split(node, counts)
                if split is not None:
                    self._divide(node, counts, split)
                    self._divide_table(node, len(waiting))
                    waiting.extend(node.children)
            node.table = None
        _prune(root)
        return _assemble(root, self.layout)

    # ------------------------------------------------------------------ counts

    def _count(self, rows: NDArray) -> NDArray:
        return count_places(self.places, self.weight, rows, self.layout)

    def _count_table(self, rows: NDArray) -> NDArray:
        return count_together(self.places, self.weight, rows, self.singles, self.layout)

    # ------------------------------------------------------------------ splits

    def _find_split(self, node: Node, counts: NDArray) -> Split | None:
        """Find the best split of a node; None for a leaf."""
        rule, layout, alone = self.rule, self.layout, counts[: self.layout.n_codes]
        least = rule.min_samples_leaf
        if rule.splitter == "random":
            candidates = draw_candidate(alone, layout, self.rng, least)
        else:
            if node.table is None:
                node.table = self._count_table(node.rows)
            n_best = rule.max_candidates
            candidates = propose(node.table, alone, self.singles, layout, least, n_best)
        if not candidates:
            return None
        around = take_out(counts, node.mapping, layout, self.counts)
        splits = [self._score(node, counts, around, *each) for each in candidates]
        best = max(splits, key=lambda split: split.gain)
        if best.gain > 0:
            return best
        if rule.splitter == "glp":
            if node.n_idle >= _MAX_IDLE:
                return None
            # The most promising by itself, for what may come behind it.
            best = splits[0]
        return best._replace(gain=0.0, maps=np.array([node.mapping] * 2))

    def _score(
        self,
        node: Node,
        counts: NDArray,
        around: NDArray,
        feature: int,
        members: NDArray,
        left: NDArray | None,
    ) -> Split:
        """Find the best maps of the sides of a candidate."""
        layout = self.layout
        domains = np.array([node.domain, node.domain])
        domains[0, layout.block(feature)] = False
        domains[0, members] = node.domain[members]
        domains[1, members] = False
        if left is None or layout.has_links:
            goes_left = domains[0, self.places[node.rows, feature]]
            left = self._count(node.rows[goes_left])
        sides = np.array([left, counts - left])
        # Rounding leaves no debris.
        sides[1][sides[1] < 1e-9 * counts] = 0.0
        found = []
        for matched in (True, False) if layout.has_links else (True,):
            gain, maps = score_split(
                sides, node.mapping, domains, around, layout, self.min_gain, matched
            )
            found.append(Split(gain, feature, domains, maps))
        return max(found, key=lambda split: split.gain)

    def _divide(self, node: Node, counts: NDArray, split: Split) -> None:
        """Make the children of a node, and put their rows in their new places."""
        goes_left = split.domains[0, self.places[node.rows, split.feature]]
        sides = node.rows[goes_left], node.rows[~goes_left]
        n_idle = 0 if split.gain > 0 else node.n_idle + 1
        add_counts(counts, node.mapping, self.layout, self.counts, -1.0)
        for rows, mapping, domain in zip(sides, split.maps, split.domains, strict=True):
            add_counts(self._count(rows), mapping, self.layout, self.counts, 1.0)
            node.children.append(Node(rows, mapping, domain, node.depth + 1, n_idle))
        np.maximum(self.counts, 0.0, out=self.counts)
        node.feature = split.feature
        self.importances[split.feature] += split.gain

    def _divide_table(self, node: Node, n_waiting: int) -> None:
        """Count the smaller child; the other has what is left of the node's table."""
        table = node.table
        if table is None or node.depth + 1 >= self.rule.max_depth:
            return
        if (n_waiting + 2) * table.size > _MAX_WAITING:
            return
        smaller, larger = sorted(node.children, key=lambda child: len(child.rows))
        smaller.table = self._count_table(smaller.rows)
        table -= smaller.table
        larger.table = table


# ------------------------------------------------------------------ the finished tree


def _prune(node: Node) -> None:
    """Make a leaf of a node whose leaves treat all rows alike."""
    for child in node.children:
        _prune(child)
    if not node.children or any(child.children for child in node.children):
        return
    left, right = node.children
    shared = left.domain & right.domain
    if (left.mapping == right.mapping)[shared].all():
        node.mapping = np.where(left.domain, left.mapping, right.mapping)
        node.children = []


def _assemble(root: Node, layout: Layout) -> Permutation:
    """Put the nodes in arrays; children come after their parents."""
    nodes, features, children, masks = [root], [], [], []
    maps: list[NDArray] = []
    for node in nodes:
        mask = np.zeros((2, layout.sizes.max()), dtype=bool)
        if node.children:
            block, left = layout.block(node.feature), node.children[0]
            [members] = np.nonzero(left.domain[block])
            mask[0, members] = True
            # Whatever happens below, these codes keep these places among them.
            mask[1, left.mapping[block][members] - block.start] = True
            features.append(node.feature)
            children.append([len(nodes), len(nodes) + 1])
            nodes.extend(node.children)
        else:
            features.append(-1)
            children.append([len(maps)] * 2)
            maps.append(node.mapping)
        masks.append(mask)
    before, after = np.stack(masks, axis=1)
    places = (np.array(maps) - layout.starts[layout.columns]).astype(np.int32)
    return Permutation(
        layout.sizes, np.array(features), np.array(children), before, after, places
    )
