"""A base distribution of codes: a tree of pairs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._distributions import Distribution


@dataclass(frozen=True, eq=False, repr=False)
class ChowLiuTree(Distribution):
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
        tables = tuple(np.asarray(p, dtype=np.float64) for p in self.probabilities)
        object.__setattr__(self, "parents", parents)
        object.__setattr__(self, "probabilities", tables)
        _parents_first(parents)
        for j, (parent, p) in enumerate(zip(parents, tables, strict=True)):
            size = self.n_categories[j]
            shape = (size,) if parent < 0 else (self.n_categories[parent], size)
            if p.shape != shape:
                raise ValueError(
                    f"probabilities[{j}] must have shape {shape}, got {p.shape}."
                )
            if not (p > 0).all() or not np.allclose(p.sum(axis=-1), 1.0):
                raise ValueError(
                    f"probabilities[{j}] must be positive and sum to 1, got {p}."
                )

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of features."""
        return len(self.parents)

    @cached_property
    def n_categories(self) -> NDArray:
        """Number of categories of each feature."""
        return np.array([p.shape[-1] for p in self.probabilities])

    @cached_property
    def _logs(self) -> list[NDArray]:
        return [np.log(np.atleast_2d(p)) for p in self.probabilities]

    def __repr__(self) -> str:
        return f"ChowLiuTree(n_categories={self.n_categories.tolist()})"

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
        for j, (parent, logs) in enumerate(zip(self.parents, self._logs, strict=True)):
            given = 0 if parent < 0 else codes[:, parent]
            result += logs[given, codes[:, j]]
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
        Z = np.zeros((n_samples, self.n_features), dtype=np.int64)
        for j in _parents_first(self.parents):
            parent, table = self.parents[j], np.atleast_2d(self.probabilities[j])
            given = np.zeros(n_samples, np.int64) if parent < 0 else Z[:, parent]
            # The distribution functions of all conditionals, end to end.
            steps = (np.cumsum(table, axis=1) + np.arange(len(table))[:, None]).ravel()
            drawn = np.searchsorted(steps, given + rng.uniform(size=n_samples), "right")
            size = table.shape[1]
            Z[:, j] = np.clip(drawn - size * given, 0, size - 1)
        return Z


def _parents_first(parents: NDArray) -> NDArray:
    """Return an order of the features, so that a parent comes before its children."""
    depth = np.zeros(len(parents), dtype=np.int64)
    above = parents.copy()
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parents[above], -1)
        if depth.max() > len(parents):
            raise ValueError(f"The parents {parents.tolist()} go round in a circle.")
    return np.argsort(depth, kind="stable")
