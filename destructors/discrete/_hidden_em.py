"""Expectation-maximisation for a hidden tree, on mini-batches, by matrix products."""

import copy
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from destructors.maps._categorical import parents_first
from destructors.maps._hidden_tree import HiddenTree
from destructors.rows import Rows, is_over

# Rows of a mini-batch: enough that matrix products are worth it, and few enough that
# there are many steps.
_FEWEST_ROWS, _MOST_ROWS, _N_BATCHES = 256, 1024, 25
# Learning rate of step t: (t + 2) to this power, as in Liang and Klein, 2009.
_DECAY = -0.6
_EVEN, _SHARE_ALPHA = 0.2, 0.1
# No transition is less likely: float32 then holds what rows contradict.
_LEAST_SHARE = 1e-7
# Groups of codes of a column that start as states of their own.
_MAX_GROUPS = 4
# Share of the transitions that leave a class at the start, share of other codes in the
# state of a code, and variance of the factors that make equal states unequal.
_LEAK, _MIXED, _NOISE = 0.05, 0.02, 0.1
# Steps and pseudo-counts of the mixture that states start from, and its largest table.
_N_START_STEPS, _START_ALPHA, _MAX_START = 20, 5.0, 2**24
# Codes of a column whose rows are added up by a dense product.
_FEW_CODES = 8


class HiddenTreeEM:
    """A hidden tree in the making.

    Parameters
    ----------
    rows : Rows
        Unique codes, with weights.
    parents : ndarray of shape (n_features,)
        The tree.
    n_classes : int
        Number of classes that it starts from: a column has as many states for each of
        its groups of codes.
    alpha : float
        Pseudo-count of the transitions from a state, and of the codes in a state.
    seed : int
        Of all random draws.

    Attributes
    ----------
    n_epochs : int
        How often the rows were gone through.
    logs : ndarray
        For whoever runs it: log probabilities of held-out rows.
    work : float
        Multiplications that one time takes, and what else takes as long.
    """

    def __init__(
        self, rows: Rows, parents: NDArray, n_classes: int, alpha: float, seed: int
    ):
        self.parents, self.alpha, self.n_classes = parents, alpha, n_classes
        self.rng, self.n_epochs = np.random.RandomState(seed), 0
        self.order = parents_first(parents)
        self.logs = np.empty(0)
        self.children = [np.flatnonzero(parents == j) for j in range(len(parents))]
        self.read(rows)
        self._start(n_classes)
        self.work = self._count_work()

    def read(self, rows: Rows) -> None:
        """Go on with these rows."""
        assert rows.kinds is not None
        self.rows, self.n_steps = rows, 0
        self.sums: list[list[NDArray]] = []
        self.batch_size = int(np.clip(len(rows) / _N_BATCHES, _FEWEST_ROWS, _MOST_ROWS))
        self.n_batches = max(1, round(len(rows) / self.batch_size))
        # Shares of all codes, and what one that no row has gets in any state.
        counts = [
            np.bincount(own, rows.weights, k)
            for own, k in zip(rows.values.T, rows.kinds, strict=True)
        ]
        self.seen = [n > 0 for n in counts]
        self.shares = [(n / n.sum()) for n in counts]
        self.unseen = [self.alpha / (n.sum() + self.alpha * len(n)) for n in counts]

    def _count_work(self) -> float:
        products = elements = shares = 0.0
        for j, parent in enumerate(self.parents):
            size = len(self.emissions[j][0])
            elements += size
            shares += self.emissions[j].size
            products += size * (1 if parent < 0 else len(self.emissions[parent][0]))
        # A call of NumPy takes as long as a good many multiplications.
        calls = self.n_batches * (2e6 * len(self.parents) + 100.0 * shares)
        return len(self.rows) * (6.0 * products + 100.0 * elements) + calls

    # ------------------------------------------------------------------ the start

    def _start(self, n_classes: int) -> None:
        """Let states be classes of a mixture of trees, by groups of codes.

        The mixture has one tree for all classes, and so its steps are two products of
        matrices. Its states hand on class and code; what they do beyond is learned.
        """
        d = len(self.parents)
        group_of, n_groups = [], np.ones(d, dtype=np.int64)
        for j in range(d):
            # The frequent codes each have a group, all others one.
            rank = np.argsort(np.argsort(-self.shares[j], kind="stable"))
            n_groups[j] = min(int(self.seen[j].sum()), _MAX_GROUPS)
            group_of.append(np.minimum(rank, n_groups[j] - 1))
        weights, tables = self._fit_classes(n_classes, group_of, n_groups)
        self.transitions, self.emissions = [], []
        for j, parent in enumerate(self.parents):
            joint = tables[j]
            k = joint.shape[2]
            if parent < 0:
                move = (weights[:, None] * joint[:, 0]).reshape(1, -1)
            else:
                anyway = weights[:, None] * joint.mean(axis=1)
                same = np.eye(n_classes)[:, None, :, None] * joint[:, :, None, :]
                move = (1.0 - _LEAK) * same + _LEAK * anyway
                move = move.reshape(n_classes * joint.shape[1], n_classes * k)
            move = move * self.rng.gamma(1.0 / _NOISE, _NOISE, size=move.shape)
            self.transitions.append(move / move.sum(axis=1, keepdims=True))
            alone = self.shares[j][:, None] * (group_of[j][:, None] == np.arange(k))
            alone = (1.0 - _MIXED) * alone / alone.sum(axis=0)
            self.emissions.append(
                np.tile(alone + _MIXED * self.shares[j][:, None], (1, n_classes))
            )
        self._refresh()

    def _fit_classes(
        self, n_classes: int, group_of: list[NDArray], n_groups: NDArray
    ) -> tuple[NDArray, list[NDArray]]:
        """Fit a mixture of trees to groups of codes."""
        d = len(self.parents)
        above = np.where(self.parents < 0, 1, n_groups[self.parents])
        ends = np.cumsum(above * n_groups)
        n = max(1, min(len(self.rows), _MAX_START // int(ends[-1])))
        X, weight = self.rows.values[:n], self.rows.weights[:n]
        weight = weight / weight.sum()
        groups = np.stack([g[own] for g, own in zip(group_of, X.T, strict=True)], 1)
        upper = np.where(self.parents < 0, 0, groups[:, self.parents])
        cells = ends - above * n_groups + upper * n_groups + groups
        lines = np.repeat(np.arange(n), d)
        table = np.zeros((n, ends[-1]), dtype=np.float32)
        table[lines, cells.ravel()] = 1.0
        chosen = self.rng.choice(n, n_classes, replace=n < n_classes, p=weight)
        # Pairs that agree with those of a row that stands for the class.
        logs = table @ table[chosen].T
        total = self.rows.total
        pooled = weight @ table
        for _ in range(_N_START_STEPS):
            logs -= logs.max(axis=1, keepdims=True)
            posterior = np.exp(logs)
            posterior /= posterior.sum(axis=1, keepdims=True)
            posterior *= weight[:, None].astype(np.float32)
            weights = posterior.sum(axis=0, dtype=np.float64) * total + 1.0
            weights /= weights.sum()
            counts = (posterior.T @ table).astype(np.float64) * total
            tables = []
            for j, end in enumerate(ends):
                shape = (-1, above[j], n_groups[j])
                own = slice(end - above[j] * n_groups[j], end)
                prior = pooled[own].reshape(shape) * total + 0.5
                prior *= _START_ALPHA / prior.sum(axis=2, keepdims=True)
                joint = counts[:, own].reshape(shape) + prior
                tables.append(joint / joint.sum(axis=2, keepdims=True))
            flat = np.hstack([t.reshape(n_classes, -1) for t in tables])
            logs = table @ np.log(flat).T.astype(np.float32)
            logs += np.log(weights).astype(np.float32)
        return weights, tables

    # ------------------------------------------------------------------ steps

    def run(self, n_epochs: int) -> None:
        """Go through the rows a number of times, in mini-batches."""
        for _ in range(n_epochs):
            if is_over():
                return
            for batch, weight in self._batches():
                self._step(batch, weight)
            self.n_epochs += 1

    def _batches(self) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield mini-batches, with shares of the weight.

        Rows are dealt by weight, so that batches are alike. The heaviest are in all
        batches; there are fewer of them than a batch has rows.
        """
        n, share = self.n_batches, self.rows.weights * (1.0 / self.rows.total)
        shuffled = self.rng.permutation(len(share))
        by_weight = shuffled[np.argsort(-share[shuffled], kind="stable")]
        n_heavy = int((share * self.batch_size > 1.0).sum()) if n > 1 else 0
        heavy, others = by_weight[:n_heavy], by_weight[n_heavy:]
        for k in self.rng.permutation(n):
            own = others[k::n]
            weight = np.concatenate([share[heavy], n * share[own]])
            yield np.concatenate([heavy, own]), weight

    def _step(self, batch: NDArray, weight: NDArray) -> None:
        """Move the expected counts towards those of a batch, and maximise."""
        counts = self._expect(self.rows.values[batch], weight)
        self.n_steps += 1
        rate = max((self.n_steps + 1.0) ** _DECAY, 1.0 / self.n_batches)
        if not self.sums:
            self.sums = [[c.astype(np.float64) for c in part] for part in counts]
        else:
            for own, new in zip(self.sums, counts, strict=True):
                for old, c in zip(own, new, strict=True):
                    old *= 1.0 - rate
                    old += rate * c
        self._maximise()

    def _maximise(self) -> None:
        """Set probabilities to expected shares, with pseudo-counts."""
        total = self.rows.total
        for j, (moves, codes) in enumerate(zip(*self.sums, strict=True)):
            state = codes.sum(axis=0)
            prior = (1.0 - _EVEN) * state / state.sum() + _EVEN / len(state)
            move = moves * total + self.alpha * prior
            move /= move.sum(axis=1, keepdims=True)
            move += _LEAST_SHARE
            self.transitions[j] = move / move.sum(axis=1, keepdims=True)
            share = codes * total + _SHARE_ALPHA * self.alpha * self.shares[j][:, None]
            share /= share.sum(axis=0)
            self.emissions[j] = share + _LEAST_SHARE * self.shares[j][:, None]
        self._refresh()

    def _refresh(self) -> None:
        """Prepare the tables that rows are passed through."""
        self._down, self._up, self._codes = [], [], []
        for j, (move, share) in enumerate(
            zip(self.transitions, self.emissions, strict=True)
        ):
            self._down.append(move.astype(np.float32))
            self._up.append(np.ascontiguousarray(self._down[-1].T))
            whole = share * (1.0 - self.unseen[j] * (~self.seen[j]).sum())
            whole[~self.seen[j]] = self.unseen[j]
            self._codes.append((whole / whole.sum(axis=0)).astype(np.float32))

    # ------------------------------------------------------------------ messages

    def _pass_up(self, X: NDArray) -> tuple[NDArray, list[NDArray], list[NDArray]]:
        """Return log probabilities, likelihoods of what is below by state, messages."""
        d = len(self.parents)
        below: list[NDArray] = [np.empty(0)] * d
        messages: list[NDArray] = [np.empty(0)] * d
        total = np.zeros(len(X))
        for j in self.order[::-1]:
            own = np.take(self._codes[j], X[:, j], axis=0)
            for i, c in enumerate(self.children[j]):
                own *= messages[c]
                if i % 3 == 2:
                    # float32 holds the product of a few messages, not of any number.
                    total += _scale(own)
            total += _scale(own)
            below[j] = own
            message = own @ self._up[j]
            if self.parents[j] < 0:
                total += np.log(message[:, 0].astype(np.float64))
            messages[j] = message
        return total, below, messages

    def _expect(self, X: NDArray, weight: NDArray) -> tuple[list[NDArray], ...]:
        """Return shares of the weight by transition and by code and state."""
        d = len(self.parents)
        _, below, messages = self._pass_up(X)
        states: list[NDArray] = [np.empty(0)] * d
        moves: list[NDArray] = [np.empty(0)] * d
        codes: list[NDArray] = [np.empty(0)] * d
        share = weight[:, None].astype(np.float32)
        for j in self.order:
            parent = self.parents[j]
            above = share if parent < 0 else states[parent]
            ratio = above / messages[j]
            moves[j] = self._down[j] * (ratio.T @ below[j])
            state = below[j]
            state *= ratio @ self._down[j]
            states[j] = state
            codes[j] = _add_by_code(X[:, j], state, len(self.shares[j]))
        return moves, codes

    def logpdf(self, X: NDArray) -> NDArray:
        """Return the log probability of each row, in nats, to float32."""
        parts = [
            self._pass_up(X[i : i + _MOST_ROWS])[0]
            for i in range(0, len(X), _MOST_ROWS)
        ]
        return np.concatenate(parts)

    # ------------------------------------------------------------------ states

    def state(self) -> tuple[list[NDArray], list[NDArray], int]:
        """Return what has been learned."""
        return list(self.transitions), list(self.emissions), self.n_epochs

    def restore(self, state: tuple[list[NDArray], list[NDArray], int]) -> None:
        """Go back to what had been learned."""
        self.transitions, self.emissions = list(state[0]), list(state[1])
        self.n_epochs = state[2]
        self._refresh()

    def with_alpha(self, alpha: float) -> "HiddenTreeEM":
        """Return a copy that goes on from here with another pseudo-count."""
        other = copy.copy(self)
        other.alpha = alpha
        other.rng = copy.deepcopy(self.rng)
        other.read(self.rows)
        other.restore(self.state())
        return other

    def to_distribution(self) -> HiddenTree:
        """Return the hidden tree as it is now."""
        transitions = tuple(
            move[0] if parent < 0 else move
            for move, parent in zip(self.transitions, self.parents, strict=True)
        )
        emissions = []
        for codes in self._codes:
            shares = codes.T.astype(np.float64)
            emissions.append(shares / shares.sum(axis=1, keepdims=True))
        return HiddenTree(self.parents, transitions, tuple(emissions))


def _scale(values: NDArray) -> NDArray:
    """Divide lines by their sum, in place; return its logarithms."""
    # Sums of short lines are several times as fast by a product as by a reduction.
    total = values @ np.ones(values.shape[1], values.dtype)
    values /= total[:, None]
    return np.log(total.astype(np.float64))


def _add_by_code(codes: NDArray, values: NDArray, n_codes: int) -> NDArray:
    """Return the sums of the lines that have each code."""
    if n_codes <= _FEW_CODES:
        table = (codes == np.arange(n_codes)[:, None]).astype(np.float32)
        return table @ values
    n = len(codes)
    table = csr_array(
        (np.ones(n, np.float32), codes, np.arange(n + 1)), shape=(n, n_codes)
    )
    return table.T @ values
