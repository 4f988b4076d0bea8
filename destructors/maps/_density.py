"""A learned density: a map, the distribution it ends on, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.maps._blocks import Way, in_blocks
from destructors.maps._distributions import Distribution
from destructors.maps._map import Data, Map
from destructors.maps._schema import Schema

__all__ = ["Density"]

# Draws of rows with values that were never seen are repeated so often at most.
_MOST_DRAWS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Density(Data):
    r"""A density of rows, with exact log-densities, samples and inverse.

    .. math:: \log p(x) = \log p_{base}(T(x)) + \log |\det J_T(x)|

    This is what a fitted destructor has learned, without the learner: it needs NumPy
    and SciPy only, and is what a file holds.

    Parameters
    ----------
    map : Map
        The map ``T``.
    base : Distribution or None
        What rows follow after the map; None for maps that end on no known one, as those
        that align domains.
    n_features : int
        Number of columns.
    schema : Schema or None
        Names, dtypes and categories of the columns; None for plain arrays of numbers.
    labels : ndarray or None
        Labels of the domains, for a map that depends on them.
    origin : str
        What it was learned by: a description, for people.

    See Also
    --------
    destructors.load : Read one from a file.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> density = Whitening().fit(X).to_density()
    >>> density.logpdf(X).shape
    (100,)
    """

    map: Map
    base: Any
    n_features: int
    schema: Schema | None = None
    labels: NDArray | None = None
    origin: str = ""

    def logpdf(self, X: ArrayLike, context: ArrayLike | None = None) -> NDArray:
        """Return the log density of each row, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        Z, log_det = self.forward(X, context)
        return self._known_base().logpdf(Z) + log_det

    def forward(
        self, X: ArrayLike, context: ArrayLike | None = None
    ) -> tuple[NDArray, NDArray]:
        """Map rows to the latent space.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map, in nats.
        """
        rows = self._read(X, "X") if self.schema is None else self.schema.encode(X)
        return self._apply(self.map.forward, rows, context)

    def inverse(
        self, Z: ArrayLike, context: ArrayLike | None = None
    ) -> tuple[Any, NDArray]:
        """Map latent rows back.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Latent rows.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Rows, as those learned from were.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map, in nats.
        """
        X, log_det = self._apply(self.map.inverse, self._read(Z, "Z"), context)
        return self.decode(X), log_det

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        context: ArrayLike | None = None,
    ) -> Any:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.
        context : array-like of shape (n_samples,), default=None
            Domain of each row, for a map that depends on it.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Rows, as those learned from were. Categories that were not seen are not
            drawn.
        """
        rng = random_state
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.RandomState(rng)
        return self.decode(self.sample_rows(n_samples, rng, context))

    def save(self, path: str | PathLike[str]) -> None:
        """Write to a file; see `destructors.save`."""
        from destructors.maps._save import save

        save(self, path)

    # ------------------------------------------------------------------ steps

    def sample_rows(
        self,
        n_samples: int,
        rng: np.random.RandomState,
        context: ArrayLike | None = None,
        run: Any = None,
    ) -> NDArray:
        """Draw rows as the map knows them: numbers, and codes for categories."""
        base = self._known_base()
        X = self._apply(self.map.inverse, base.sample(n_samples, rng), context, run)[0]
        if self.schema is None:
            return X
        for _ in range(_MOST_DRAWS):
            again = self.schema.is_unknown(X)
            if not again.any():
                break
            Z = base.sample(int(again.sum()), rng)
            part = None if context is None else np.asarray(context)[again]
            X[again] = self._apply(self.map.inverse, Z, part, run)[0]
        return X

    def decode(self, X: NDArray) -> Any:
        """Return rows as those learned from were: frames, names, dtypes, categories."""
        return X if self.schema is None else self.schema.decode(X)

    def _apply(
        self, way: Way, rows: NDArray, context: ArrayLike | None, run: Any = None
    ) -> tuple[NDArray, NDArray]:
        if context is not None and self.labels is not None:
            context = encode_labels(np.asarray(context), self.labels)
        return in_blocks(way, rows, context, run)  # type: ignore[arg-type]

    def _read(self, X: ArrayLike, name: str) -> NDArray:
        """Check an array of numbers."""
        rows = np.ascontiguousarray(X)
        if rows.dtype.kind not in "iu":
            rows = rows.astype(np.float64, copy=False)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(
                f"{name} must have the shape (n_samples, {self.n_features}), got "
                f"{rows.shape}."
            )
        if not np.isfinite(rows).all():
            raise ValueError(f"{name} contains NaN or infinity.")
        return rows.astype(np.float64, copy=False)

    def _known_base(self) -> Distribution:
        if self.base is None:
            raise ValueError(
                "The map ends on no known distribution, so it has no density; forward "
                "and inverse work."
            )
        return self.base


def encode_labels(labels: NDArray, known: NDArray) -> NDArray:
    """Return the places of labels of domains among the known ones."""
    found, codes = np.unique(labels, return_inverse=True)
    listed = known.tolist()
    if unknown := [label for label in found.tolist() if label not in listed]:
        raise ValueError(
            f"sample_domain contains the unknown label(s) {_show(unknown)}; the "
            f"domains seen in fit are {_show(listed)}."
        )
    return np.array([listed.index(label) for label in found.tolist()], np.intp)[codes]


def _show(labels: list) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(map(repr, labels[:5])) + more
