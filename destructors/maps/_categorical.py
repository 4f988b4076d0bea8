"""Base distributions of codes: independent columns, or a tree of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._distributions import Distribution

# Sums of probabilities may be off by so much.
_OFF = 1e-5


class _Codes(Distribution):
    """Categorical features, each dependent on one other, its parent, or on none (-1).

    Probabilities are of shape ``(n_categories_j,)`` for a feature without parent, else
    ``(n_categories_parent, n_categories_j)``.
    """

    parents: Any
    probabilities: tuple[NDArray, ...]

    def __post_init__(self) -> None:
        tables = tuple(
            np.atleast_1d(np.asarray(p, dtype=np.float64)) for p in self.probabilities
        )
        object.__setattr__(self, "probabilities", tables)
        sizes = self.n_categories.tolist()
        for j, (parent, p) in enumerate(zip(self.parents, tables, strict=True)):
            shape = (sizes[j],) if parent < 0 else (sizes[parent], sizes[j])
            check_shares(f"probabilities[{j}]", p, shape)

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of features."""
        return len(self.probabilities)

    @cached_property
    def n_categories(self) -> NDArray:
        """Number of categories of each feature."""
        return np.array([p.shape[-1] for p in self.probabilities], dtype=np.int64)

    @cached_property
    def _logs(self) -> list[NDArray]:
        return [np.log(p) for p in self.probabilities]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_categories={self.n_categories.tolist()})"

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log probability of each row, in nats; -inf outside the codes.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Integer codes.

        Returns
        -------
        log_probability : ndarray of shape (n_samples,)
        """
        rows = np.asarray(Z)
        codes = np.clip(rows, 0, self.n_categories - 1).astype(np.int64)
        result = np.zeros(len(rows))
        for own, parent, logs in zip(codes.T, self.parents, self._logs, strict=True):
            result += logs[own] if parent < 0 else logs[codes[:, parent], own]
        result[(codes != rows).any(axis=1)] = -np.inf
        return result

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it of codes.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Integer codes.
        """
        return self._draw(n_samples, rng, self.probabilities)

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows drawn from it given that no feature has its code; -1 for none.

        See `Distribution.sample_without`. The probability that all features below one
        in the tree avoid their codes is passed up to it, and then features are drawn
        from the roots on: no row is drawn in vain.
        """
        return self._draw(n_samples, rng, self._avoid(codes)[1])

    def log_without(self, codes: NDArray) -> float:
        """Return the log probability that no feature has its code.

        Parameters
        ----------
        codes : ndarray of int of shape (n_features,)
            Code of each feature to leave out; -1 for none.

        Returns
        -------
        log_probability : float
            In nats.
        """
        return self._avoid(codes)[0]

    def _avoid(self, codes: NDArray) -> tuple[float, list[NDArray]]:
        """Return the log probability that codes are avoided, and tables given that."""
        # Log-probabilities that what hangs on a feature avoids its codes, by its code.
        logs = [np.zeros(k) for k in self.n_categories]
        tables: list[NDArray] = [np.empty(0)] * self.n_features
        whole = 0.0
        for j in parents_first(self.parents)[::-1]:
            if codes[j] >= 0:
                logs[j][codes[j]] = -np.inf
            most = logs[j].max()
            if most == -np.inf:
                raise ValueError(f"Feature {j} has no other code than that left out.")
            share = self.probabilities[j] * np.exp(logs[j] - most)
            total = share.sum(axis=-1, keepdims=True)
            tables[j] = share / total
            if self.parents[j] >= 0:
                logs[self.parents[j]] += most + np.log(total[:, 0])
            else:
                whole += float(most + np.log(total[0]))
        return whole, tables

    def _draw(
        self, n_samples: int, rng: np.random.RandomState, tables: Sequence[NDArray]
    ) -> NDArray:
        Z = np.zeros((n_samples, self.n_features), dtype=np.int64)
        none = np.zeros(n_samples, dtype=np.int64)
        for j in parents_first(self.parents):
            parent = self.parents[j]
            given = none if parent < 0 else Z[:, parent]
            Z[:, j] = draw_codes(tables[j], given, rng)
        return Z


@dataclass(frozen=True, eq=False, repr=False)
class IndependentCategorical(_Codes):
    """Independent categorical features with codes ``0 … k_j - 1``.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_categories_j,)
        Probability of each code, one array per feature. Each must be positive and sum
        to one.

    Raises
    ------
    ValueError
        If the probabilities of a feature are not positive or do not sum to one.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import IndependentCategorical
    >>> base = IndependentCategorical([[0.5, 0.5], [0.25, 0.75]])
    >>> np.exp(base.logpdf(np.array([[0, 1]])))
    array([0.375])
    """

    probabilities: tuple[NDArray, ...]

    @property
    def parents(self) -> NDArray:
        """No feature has one: -1."""
        return np.full(self.n_features, -1)

    @classmethod
    def fit(
        cls, X: NDArray, n_categories: list, sample_weight=None, alpha: float = 1.0
    ) -> "IndependentCategorical":
        """Return the probabilities estimated from codes, with additive smoothing.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Integer codes.
        n_categories : list of int
            Number of categories of each feature.
        sample_weight : ndarray of shape (n_samples,), default=None
            Weights of the rows.
        alpha : float, default=1.0
            Pseudo-count added to each category; must be positive.

        Returns
        -------
        base : IndependentCategorical
        """
        if alpha <= 0:
            raise ValueError(f"alpha must be positive, got {alpha}.")
        counts = [
            np.bincount(codes, sample_weight, k)
            for codes, k in zip(
                np.asarray(X, dtype=np.intp).T, n_categories, strict=True
            )
        ]
        return cls(tuple((n + alpha) / (n.sum() + alpha * len(n)) for n in counts))


@dataclass(frozen=True, eq=False, repr=False)
class ChowLiuTree(_Codes):
    r"""Categorical features, each dependent on one other: a tree of conditionals.

    .. math:: p(z) = \prod_j p(z_j \mid z_{\pi(j)}),

    where :math:`\pi(j)` is the parent of feature j; a root has none. Of all trees, the
    one fitted has the largest likelihood.

    Parameters
    ----------
    parents : array-like of shape (n_features,)
        Parent of each feature; -1 for a root.
    probabilities : list of ndarray
        Of shape ``(n_categories_j,)`` for a root, else
        ``(n_categories_parent, n_categories_j)``. Each row must be positive and sum to
        one.

    Attributes
    ----------
    n_categories : ndarray of shape (n_features,)
        Number of categories of each feature.

    Raises
    ------
    ValueError
        If the parents go round in a circle, or probabilities are not positive, do not
        sum to one or are not of the right shape.

    References
    ----------
    C. K. Chow and C. N. Liu, *Approximating discrete probability distributions with
    dependence trees*, IEEE Transactions on Information Theory 14, 1968.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import ChowLiuTree
    >>> base = ChowLiuTree([-1, 0], [[0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]])
    >>> np.exp(base.logpdf(np.array([[0, 1], [1, 1]])))
    array([0.05, 0.4 ])
    """

    parents: NDArray
    probabilities: tuple[NDArray, ...]

    def __post_init__(self) -> None:
        parents = np.asarray(self.parents, dtype=np.int64)
        object.__setattr__(self, "parents", parents)
        parents_first(parents)
        super().__post_init__()


def parents_first(parents: NDArray) -> NDArray:
    """Return an order of the features, so that a parent comes before its children."""
    depth = np.zeros(len(parents), dtype=np.int64)
    above = parents.copy()
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parents[above], -1)
        if depth.max() > len(parents):
            raise ValueError(f"The parents {parents.tolist()} go round in a circle.")
    return np.argsort(depth, kind="stable")


def check_shares(
    name: str, p: NDArray, shape: tuple[int, ...], *, positive: bool = True
) -> None:
    """Raise ValueError if probabilities have another shape or no sum of one."""
    if p.shape != shape or not p.size:
        raise ValueError(f"{name} must have shape {shape}, got {p.shape}.")
    able = (p > 0).all() if positive else (p >= 0).all()
    if not able or not np.abs(p.sum(axis=-1) - 1.0).max() < _OFF:
        what = "positive" if positive else "non-negative"
        raise ValueError(f"{name} must be {what} and sum to 1, got {p}.")


def draw_codes(table: NDArray, given: NDArray, rng: np.random.RandomState) -> NDArray:
    """Draw a code for each row, from the line of a table of probabilities that is given
    for it.
    """
    table = np.atleast_2d(table)
    # The distribution functions of all lines, end to end.
    steps = (np.cumsum(table, axis=1) + np.arange(len(table))[:, None]).ravel()
    drawn = np.searchsorted(steps, given + rng.uniform(size=len(given)), "right")
    size = table.shape[1]
    # The last code that has a probability: rounding must not reach another.
    last = size - 1 - np.argmax(table[:, ::-1] > 0.0, axis=1)[given]
    return np.clip(drawn - size * given, 0, last)
