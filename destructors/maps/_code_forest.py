"""Codes in the classes of a mixture: each column given one other, or none."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from destructors.maps._categorical import draw_codes, parents_first
from destructors.maps._classes import TINY, Emission

# Numbers in the arrays of a block of rows.
_BLOCK_SIZE = 2**20


@dataclass(frozen=True, eq=False, repr=False)
class CodeForest(Emission):
    r"""Columns of codes that follow a tree, or several, in each class.

    .. math:: p_k(x) = \prod_j p_k(x_j \mid x_{\pi(j)})

    where :math:`\pi(j)` is the parent of column j; a root has none. Where all are roots
    the columns are independent given the class. A column that is missing is summed out
    by messages from the leaves to the roots.

    Parameters
    ----------
    parents : ndarray of int of shape (n_columns,)
        Parent of each column; -1 for a root.
    tables : tuple of ndarray
        Probabilities in each class: of shape ``(n_classes, n_categories_j)`` for a
        root, else ``(n_classes, n_categories_parent, n_categories_j)``. Positive, of
        sum one along the last axis.
    """

    parents: NDArray
    tables: tuple[NDArray, ...]

    _positive = ("tables",)

    def is_valid(self) -> bool:
        """Return whether these are probabilities along a forest."""
        parents_first(self.parents)
        n_classes = len(self.tables[0])
        sizes = [table.shape[-1] for table in self.tables]
        for j, (parent, table) in enumerate(
            zip(self.parents, self.tables, strict=True)
        ):
            above = () if parent < 0 else (sizes[parent],)
            if table.shape != (n_classes, *above, sizes[j]):
                return False
            if not (np.abs(table.sum(axis=-1) - 1.0) < 1e-6).all():
                return False
        return True

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.tables[0])

    @cached_property
    def n_categories(self) -> NDArray:
        """Number of codes of each column."""
        return np.array([table.shape[-1] for table in self.tables], dtype=np.int64)

    @cached_property
    def _order(self) -> NDArray:
        return parents_first(self.parents)

    @cached_property
    def _by_code(self) -> list[NDArray]:
        """Log probabilities by code, or by those of parent and column, and class."""
        ends = [*self._starts[1:].tolist(), len(self._logs)]
        return [
            self._logs[a:b] for a, b in zip(self._starts.tolist(), ends, strict=True)
        ]

    @cached_property
    def _logs(self) -> NDArray:
        """Those of all columns, one below another."""
        tables = [table.reshape(self.n_classes, -1) for table in self.tables]
        return np.log(np.concatenate(tables, axis=1).T)

    @cached_property
    def _starts(self) -> NDArray:
        """Where each column begins in them."""
        sizes = [table[0].size for table in self.tables[:-1]]
        return np.append(0, np.cumsum(sizes)).astype(np.intp)

    def take_class(self, k: int) -> "CodeForest":
        """Return the forest of one class."""
        return CodeForest(
            self.parents, tuple(table[k : k + 1] for table in self.tables)
        )

    # ------------------------------------------------------------------ densities

    def logpdf(self, x: NDArray, without: NDArray | None = None) -> NDArray:
        """Return log probabilities; -inf for what is no code. See `Emission.logpdf`."""
        whole = ~np.isnan(x).any(axis=1)
        if whole.all():
            return self._of_whole(x)
        logs = np.empty((len(x), self.n_classes))
        logs[whole] = self._of_whole(x[whole])
        logs[~whole] = self._pass_up(x[~whole], without)[0]
        return logs

    def _of_whole(self, x: NDArray) -> NDArray:
        """Return log probabilities of rows that miss nothing."""
        codes, _, is_code = self._read(x)
        n_columns = len(self.parents)
        above = np.where(self.parents < 0, 0, codes[:, self.parents])
        places = self._starts + above * self.n_categories + codes
        logs = np.empty((len(x), self.n_classes))
        for rows in _blocks(len(x), max(1, _BLOCK_SIZE // n_columns)):
            part = places[rows]
            ends = np.arange(0, part.size + 1, n_columns)
            cells = np.ones(part.size), part.ravel(), ends
            logs[rows] = csr_array(cells, shape=(len(part), len(self._logs))) @ (
                self._logs
            )
        logs[~is_code] = -np.inf
        return logs

    def _pass_up(
        self, x: NDArray, without: NDArray | None
    ) -> tuple[NDArray, list[NDArray | None]]:
        """Return log probabilities, and what lies below each column that is missing.

        Returns
        -------
        logs : ndarray of shape (n_samples, n_classes)
        below : list of ndarray of shape (n_missing_j, n_classes, n_categories_j)
            Likelihood of what is known below, by the code of the column, up to a
            factor; None where it is one.
        """
        codes, missing, is_code = self._read(x)
        logs = np.zeros((len(x), self.n_classes))
        below = [self._open(j, missing, without) for j in range(len(self.parents))]
        for j in self._order[::-1]:
            parent = int(self.parents[j])
            gone, here = missing[:, j], ~missing[:, j]
            if parent < 0:
                logs[here] += self._by_code[j][codes[here, j]]
                if below[j] is not None:
                    logs[gone] += np.log(
                        np.einsum("nkv,kv->nk", below[j], self.tables[j])
                    )
                continue
            up = missing[:, parent]
            rows = np.flatnonzero(here & ~up)
            place = codes[rows, parent] * self.n_categories[j] + codes[rows, j]
            logs[rows] += self._by_code[j][place]
            rows = np.flatnonzero(here & up)
            if len(rows):
                message = np.moveaxis(self.tables[j], -1, 0)[codes[rows, j]]
                logs[rows] += self._receive(below, parent, up, rows, message)
            own = below[j]
            if own is None:
                continue
            rows = np.flatnonzero(gone & ~up)
            of = ~up[gone]
            for u in np.unique(codes[rows, parent]):
                some = codes[rows, parent] == u
                share = np.einsum("nkv,kv->nk", own[of][some], self.tables[j][:, u])
                logs[rows[some]] += np.log(np.maximum(share, TINY))
            rows = np.flatnonzero(gone & up)
            if len(rows):
                message = self._message(j, own[up[gone]])
                logs[rows] += self._receive(below, parent, up, rows, message)
        logs[~is_code] = -np.inf
        return logs, below

    def _message(self, j: int, own: NDArray) -> NDArray:
        """Return what is below a column, by the code of its parent."""
        by_class = own.transpose(1, 0, 2) @ self.tables[j].transpose(0, 2, 1)
        return by_class.transpose(1, 0, 2)

    def _receive(
        self,
        below: list[NDArray | None],
        parent: int,
        up: NDArray,
        rows: NDArray,
        message: NDArray,
    ) -> NDArray:
        """Multiply what is below a parent by a message; return the log of its size."""
        n_missing = int(up.sum())
        known = below[parent]
        if known is None:
            shape = n_missing, self.n_classes, int(self.n_categories[parent])
            known = np.ones(shape)
        place = (np.cumsum(up) - 1)[rows]
        product = known[place] * message
        most = np.maximum(product.max(axis=2), TINY)
        known[place] = product / most[:, :, None]
        below[parent] = known
        return np.log(most)

    def _open(
        self, j: int, missing: NDArray, without: NDArray | None
    ) -> NDArray | None:
        """Return what is known of a missing column before any message."""
        n_missing = int(missing[:, j].sum())
        if without is None or without[j] < 0 or not n_missing:
            return None
        allowed = np.ones((n_missing, self.n_classes, int(self.n_categories[j])))
        allowed[:, :, without[j]] = 0.0
        return allowed

    def _read(self, x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Return codes, which of them are missing, and which rows hold codes only."""
        missing = np.isnan(x)
        known = np.where(missing, 0.0, x)
        codes = np.clip(known, 0, self.n_categories - 1).astype(np.intp)
        return codes, missing, (codes == known).all(axis=1)

    # ------------------------------------------------------------------ draws

    def fill(
        self,
        x: NDArray,
        classes: NDArray,
        rng: np.random.RandomState,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return codes, those missing drawn. See `Emission.fill`."""
        x = x.copy()
        for k in np.unique(classes):
            rows = np.flatnonzero(classes == k)
            x[rows] = self.take_class(k)._fill(x[rows], rng, without)
        return x

    def _fill(
        self, x: NDArray, rng: np.random.RandomState, without: NDArray | None
    ) -> NDArray:
        below, x = self._pass_up(x, without)[1], x.copy()
        for j in self._order:
            gone = np.flatnonzero(np.isnan(x[:, j]))
            if not len(gone):
                continue
            table, own, parent = self.tables[j][0], below[j], int(self.parents[j])
            given = np.zeros(len(gone), np.intp)
            if parent >= 0:
                given = x[gone, parent].astype(np.intp)
            if own is not None:
                table = (table if parent < 0 else table[given]) * own[:, 0]
                table /= table.sum(axis=1, keepdims=True)
                given = np.arange(len(gone))
            x[gone, j] = draw_codes(table, given, rng)
        return x

    def predict(
        self,
        x: NDArray,
        posterior: NDArray,
        strategy: str,
        curves: NDArray,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return codes, the most probable of each column for those missing."""
        x = x.copy()
        for j, share in enumerate(self.shares(x, posterior, without)):
            x[np.isnan(x[:, j]), j] = np.argmax(share, axis=1)
        return x

    def shares(
        self, x: NDArray, posterior: NDArray, without: NDArray | None = None
    ) -> list[NDArray]:
        """Return probabilities of the codes of what is missing; see `Emission.predict`.

        Returns
        -------
        shares : list of ndarray of shape (n_missing_j, n_categories_j)
            For each column, one row for each row that misses it.
        """
        missing = np.isnan(x)
        shares = [
            np.zeros((int(gone.sum()), size))
            for gone, size in zip(missing.T, self.n_categories, strict=True)
        ]
        for k, weight in enumerate(posterior.T):
            rows = weight > TINY
            found = self.take_class(k)._marginals(x[rows], without)
            for j, own in enumerate(found):
                gone = missing[:, j]
                shares[j][rows[gone]] += weight[rows & gone, None] * own
        return shares

    def _marginals(self, x: NDArray, without: NDArray | None) -> list[NDArray]:
        """Return the probabilities of the codes of what is missing, in one class."""
        codes, missing, _ = self._read(x)
        below = self._pass_up(x, without)[1]
        found: list[NDArray] = [np.empty(0)] * len(below)
        for j in self._order:
            gone, table, own = missing[:, j], self.tables[j][0], below[j]
            likelihood = 1.0 if own is None else own[:, 0]
            parent = int(self.parents[j])
            if parent < 0:
                share = np.tile(table, (int(gone.sum()), 1))
            else:
                up = missing[:, parent]
                share = table[codes[gone, parent]]
                both = gone & up
                above = found[parent][gone[up]]
                if own is not None:
                    # What this column has told its parent is taken out again.
                    message = self._message(j, own[up[gone]])[:, 0]
                    above = above / np.maximum(message, TINY)
                share[both[gone]] = above @ table
            share = share * likelihood
            found[j] = share / np.maximum(share.sum(axis=1, keepdims=True), TINY)
        return found


def _blocks(n_samples: int, step: int) -> list[slice]:
    return [slice(i, i + step) for i in range(0, n_samples, step)]
