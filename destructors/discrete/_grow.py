"""Growing a tree-structured permutation, one split at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout, code_counts, count_candidates
from destructors.discrete._links import (
    Links,
    add_counts,
    count_links,
    score_split,
    take_out,
)
from destructors.discrete._screen import Lines, draw_candidate, propose, screen
from destructors.maps._permutation import Permutation
from destructors.rows import is_over

__all__ = ["Growth", "GrowthRule"]

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
    """A part of the rows, and the place that each of its codes has come to."""

    rows: NDArray
    mapping: NDArray
    domain: NDArray
    depth: int
    n_idle: int = 0
    table: NDArray | None = None
    feature: int = -1
    members: NDArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    children: tuple[Node, Node] | None = None


class Split(NamedTuple):
    """A candidate that has been scored in full."""

    gain: float
    feature: int
    members: NDArray
    maps: NDArray


class Growth:
    """A tree in the making.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    layout : Layout
        Of the columns.
    parents : ndarray of shape (n_features,)
        The tree of pairs whose likelihood is to rise: parent of each feature, -1 for
        none.
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
        X: NDArray,
        weight: NDArray,
        layout: Layout,
        parents: NDArray,
        rule: GrowthRule,
        rng: np.random.RandomState,
    ):
        self.X, self.weight, self.layout = X, weight, layout
        self.rule, self.rng = rule, rng
        self.links = Links.of(parents, layout)
        self.cells = self.links.cells(X, layout)
        self.codes = X + layout.starts[:-1]
        self.lines = Lines.choose(code_counts(X, weight, layout), layout)
        self.importances = np.zeros(len(layout.sizes))

    def grow(self) -> Permutation:
        """Grow the tree."""
        rows = np.arange(len(self.X))
        everywhere = np.ones(self.layout.total, dtype=bool)
        root = Node(rows, np.arange(self.layout.total), everywhere, 0)
        # Counts by place, of all rows where their codes have come to.
        self.joint, self.alone = self._count(rows)
        waiting = deque([root])
        while waiting:
            if is_over() and root.children is not None:
                # Whoever waits stays a leaf.
                break
            node = waiting.popleft()
            split = self._find_split(node)
            if split is not None:
                node.children = self._divide(node, split)
                if self.rule.splitter == "glp":
                    self._divide_table(node, len(waiting))
                waiting.extend(node.children)
            node.table = None
        _prune(root, self.layout)
        return _assemble(root, self.layout)

    # ------------------------------------------------------------------ counts

    def _table_of(self, rows: NDArray) -> NDArray:
        lines = self.lines
        return count_candidates(
            self.X, self.weight, rows, self.layout, lines.line, len(lines.codes)
        )

    def _count(self, rows: NDArray) -> tuple[NDArray, NDArray]:
        """Count rows by cells of the links and by codes."""
        n_cells = int(self.links.starts[-1])
        joint = count_links(self.cells, self.weight, rows, n_cells)
        return joint, count_links(self.codes, self.weight, rows, self.layout.total)

    # ------------------------------------------------------------------ splits

    def _find_split(self, node: Node) -> Split | None:
        """Find the best split of a node; None for a leaf."""
        rule = self.rule
        if node.depth >= rule.max_depth:
            return None
        if self.weight[node.rows].sum() < rule.min_samples_split:
            return None
        joint, alone = self._count(node.rows)
        choices = self._choose(node, alone)
        if not choices:
            return None
        around = take_out(
            joint,
            alone,
            node.mapping,
            self.layout.starts,
            self.links,
            self.joint,
            self.alone,
        )
        splits = [
            self._score(node, *choice, joint, alone, around) for choice in choices
        ]
        best = max(splits, key=lambda split: split.gain)
        if best.gain > 0:
            return best
        if rule.splitter == "glp":
            if node.n_idle >= _MAX_IDLE:
                return None
            # The most promising by itself, for what may come behind it.
            best = splits[0]
        return best._replace(gain=0.0, maps=np.stack([node.mapping] * 2))

    def _choose(
        self, node: Node, counts: NDArray
    ) -> list[tuple[int, NDArray, NDArray | None]]:
        """Return the candidates that are worth a full score: the column, the codes that
        go left and, where they are known, the counts of the rows that do.
        """
        least = self.rule.min_samples_leaf
        if self.rule.splitter == "random":
            drawn = draw_candidate(counts, self.layout, self.rng, least)
            return [] if drawn is None else [(*drawn, None)]
        if node.table is None:
            node.table = self._table_of(node.rows)
        candidates = propose(node.table, counts, self.lines, self.layout, least)
        gains = screen(candidates, counts, self.layout)
        # Rounding must not decide between equals, or weights would not equal repeats.
        order = np.argsort(-gains.round(6), kind="stable")
        kept = candidates.take(order[: self.rule.max_candidates])
        return list(zip(kept.features.tolist(), kept.members, kept.left, strict=True))

    def _score(self, node, feature, members, alone_left, joint, alone, around) -> Split:
        left = self._mark(members)
        if alone_left is None or len(self.links.first):
            goes_left = left[self.codes[node.rows, feature]]
            joint_left, alone_left = self._count(node.rows[goes_left])
        else:
            joint_left = joint
        sides = np.empty((2, len(joint))), np.empty((2, len(alone)))
        for side, part, whole in zip(
            sides, (joint_left, alone_left), (joint, alone), strict=True
        ):
            side[0], side[1] = part, whole - part
            # Rounding leaves no debris.
            side[1][side[1] < 1e-9 * whole] = 0.0
        domains = np.stack([node.domain, node.domain])
        block = self.layout.block(feature)
        domains[0, block] &= left[block]
        domains[1, block] &= ~left[block]
        found = []
        for matched in (True, False) if len(self.links.first) else (True,):
            maps = np.empty((2, self.layout.total), dtype=np.int64)
            gain = score_split(
                *sides,
                node.mapping,
                domains,
                *around,
                self.layout.starts,
                self.links,
                float(self.rule.min_gain),
                matched,
                maps,
            )
            found.append(Split(gain, feature, members, maps))
        return max(found, key=lambda split: split.gain)

    def _mark(self, members: NDArray) -> NDArray:
        marks = np.zeros(self.layout.total, dtype=bool)
        marks[members] = True
        return marks

    def _divide(self, node: Node, split: Split) -> tuple[Node, Node]:
        """Make the children of a node, and put their rows in their new places."""
        left = self._mark(split.members)
        goes_left = left[self.codes[node.rows, split.feature]]
        sides = node.rows[goes_left], node.rows[~goes_left]
        block = self.layout.block(split.feature)
        starts = self.layout.starts
        counts = self.joint, self.alone
        add_counts(
            *self._count(node.rows), node.mapping, starts, self.links, *counts, -1.0
        )
        n_idle = 0 if split.gain > 0 else node.n_idle + 1
        children = []
        for rows, mapping, mine in zip(sides, split.maps, (left, ~left), strict=True):
            add_counts(*self._count(rows), mapping, starts, self.links, *counts, 1.0)
            domain = node.domain.copy()
            domain[block] &= mine[block]
            children.append(Node(rows, mapping, domain, node.depth + 1, n_idle))
        for count in counts:
            np.maximum(count, 0.0, out=count)
        node.feature = split.feature
        node.members = np.flatnonzero(node.domain & left)
        self.importances[split.feature] += split.gain
        return children[0], children[1]

    def _divide_table(self, node: Node, n_waiting: int) -> None:
        """Count the smaller child; the other has what is left of the node's table."""
        table, children = node.table, node.children
        if (
            children is None
            or table is None
            or children[0].depth >= self.rule.max_depth
        ):
            return
        if (n_waiting + 2) * table.size > _MAX_WAITING:
            return
        smaller, larger = sorted(children, key=lambda child: len(child.rows))
        smaller.table = self._table_of(smaller.rows)
        table -= smaller.table
        larger.table = table


# ------------------------------------------------------------------ the finished tree


def _prune(node: Node, layout: Layout) -> None:
    """Make a leaf of a node whose leaves treat all rows alike."""
    if node.children is None:
        return
    for child in node.children:
        _prune(child, layout)
    left, right = node.children
    if left.children is not None or right.children is not None:
        return
    shared = left.domain & right.domain
    if (left.mapping == right.mapping)[shared].all():
        node.mapping = np.where(left.domain, left.mapping, right.mapping)
        node.children = None


def _assemble(root: Node, layout: Layout) -> Permutation:
    """Put the nodes in arrays; children come after their parents."""
    nodes = [root]
    maps: list[NDArray] = []
    features, children = [], []
    before, after = [], []
    widest = int(layout.sizes.max())
    for node in nodes:
        masks = np.zeros((2, widest), dtype=bool)
        if node.children is None:
            features.append(-1)
            children.append([len(maps)] * 2)
            maps.append(node.mapping)
        else:
            start = layout.starts[node.feature]
            features.append(node.feature)
            children.append([len(nodes), len(nodes) + 1])
            masks[0, node.members - start] = True
            # Whatever happens below, these codes keep these places among them.
            masks[1, node.children[0].mapping[node.members] - start] = True
            nodes.extend(node.children)
        before.append(masks[0])
        after.append(masks[1])
    own = np.repeat(layout.starts[:-1], layout.sizes)
    return Permutation(
        layout.sizes,
        np.array(features),
        np.array(children),
        np.array(before),
        np.array(after),
        (np.array(maps) - own).astype(np.int32),
    )
