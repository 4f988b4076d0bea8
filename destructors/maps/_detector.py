"""Outliers by densities of folds: what a detector has learned."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.maps._calibration import Calibration
from destructors.maps._density import Density
from destructors.maps._excess import excess_by_column
from destructors.maps._exits import Exits
from destructors.maps._folds import KnownFolds, apply_by_fold
from destructors.maps._map import Data
from destructors.maps._mean_density import MeanLogDensity
from destructors.maps._schema import Schema


@dataclass(frozen=True, eq=False, repr=False)
class Detector(Data):
    """Tells outliers from other rows: an `OutlierDetector` without the learner.

    It is what `destructors.load` gives of a saved detector, and needs NumPy and SciPy
    only.

    Parameters
    ----------
    members : tuple of Density or MeanLogDensity
        What scores the rows of each fold: densities that have not seen them.
    folds : KnownFolds
        Which fold a row belongs to.
    calibration : Calibration
        Scores of the training rows.
    offset : float
        The score below which a row is flagged, in nats.
    grid : ndarray of shape (n_points, n_features)
        Values at which each column is tried, to explain rows by.
    schema : Schema
        The columns.
    exits : Exits or None, default=None
        Where rows leave before they are scored in full; None: nowhere.

    See Also
    --------
    destructors.estimators.OutlierDetector : What learns it; its methods are the same.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import destructors
    >>> from destructors.estimators import OutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> learned = OutlierDetector(random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "detector.npz")
    ...     destructors.save(learned, path)
    ...     detector = destructors.load(path)
    >>> detector.predict([[0.0, 0.0], [9.0, 9.0]])
    array([ 1, -1])
    """

    members: tuple[Density | MeanLogDensity, ...]
    folds: KnownFolds
    calibration: Calibration
    offset: float
    grid: NDArray
    schema: Schema
    exits: Exits | None = None

    def is_valid(self) -> bool:
        """Return whether the parts are made for each other: a few rows are scored and
        explained, which fails with an error of any kind where sizes do not fit.
        """
        d = len(self.schema)
        if not (
            all(member.n_features == d for member in self.members)
            and len(self.members) == self.folds.n_folds
            and self.folds.units.shape == (3, d)
            and self.grid.ndim == 2
            and self.grid.shape[1] == d
            and len(self.grid) > 1
            and not self.schema.kinds.any()
            and (np.diff(self.grid, axis=0) >= 0).all()
        ):
            return False
        rows = self.grid[:: max(1, len(self.grid) - 1)]
        with np.errstate(all="ignore"):
            self.predict(rows)
            scores = [member.logpdf(rows) for member in self.members]
            return bool(np.isfinite([*scores, self.score_samples(rows)]).all())

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.schema)

    def score_samples(self, X: ArrayLike) -> NDArray:
        """Return how normal rows are: log densities, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, of those that were learned from or new.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the stranger.
        """
        rows = self._read(X)
        score = [member.logpdf for member in self.members]
        return apply_by_fold(score, rows, self.folds.place(rows))

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return how far above the threshold the scores of rows are.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset

    def predict(self, X: ArrayLike) -> NDArray:
        """Return which rows are outliers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
            -1 for outliers, 1 for others.
        """
        if self.exits is None:
            return np.where(self.decision_function(X) < 0.0, -1, 1)
        rows = self._read(X)
        flagged = apply_by_fold(self._flaggers, rows, self.folds.place(rows))
        return np.where(flagged, -1, 1)

    def p_values(self, X: ArrayLike) -> NDArray:
        """Return how often rows like those learned from are as strange.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        p : ndarray of shape (n_samples,)
        """
        return self.calibration.p_values(self.score_samples(X))

    def explain(self, X: ArrayLike) -> NDArray:
        """Return by how many nats each column is stranger than the others let expect.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        excess : ndarray of shape (n_samples, n_features)
            In nats.
        """
        rows = self._read(X)
        excess = [
            partial(excess_by_column, member.logpdf, grid=self.grid)
            for member in self.members
        ]
        return apply_by_fold(excess, rows, self.folds.place(rows))

    def save(self, path: str) -> None:
        """Write to a file; see `destructors.save`."""
        from destructors.maps._save import save

        save(self, path)

    @cached_property
    def _flaggers(self) -> list[Callable[[NDArray], NDArray]]:
        return (
            [] if self.exits is None else self.exits.flaggers(self.members, self.offset)
        )

    def _read(self, X: ArrayLike) -> NDArray:
        rows = self.schema.encode(X, owner="Detector")
        if not len(rows):
            raise ValueError("X has no rows: give at least one.")
        return rows
