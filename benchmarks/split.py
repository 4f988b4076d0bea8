"""Training, validation and test rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

__all__ = ["Split", "split"]


@dataclass(frozen=True)
class Split:
    """Three parts of a table.

    Attributes
    ----------
    train, val, test : ndarray of shape (n_samples, n_features)
        Fit on the first, choose on the second, report on the third. Where the second
        is empty, models hold out some of their training rows instead.
    truth : ndarray of shape (n_test_samples,) or None
        True log density of the test rows, in nats, where it is known.
    """

    train: NDArray
    val: NDArray
    test: NDArray
    truth: NDArray | None = None

    def head(self, n_samples: int) -> Split:
        """Return the first rows: ``n_samples`` to train on, a third of that else."""
        n_held_out = n_samples // 3
        truth = None if self.truth is None else self.truth[:n_held_out]
        return replace(
            self,
            train=self.train[:n_samples],
            val=self.val[:n_held_out],
            test=self.test[:n_held_out],
            truth=truth,
        )


def split(X: NDArray, log_density: NDArray | None = None) -> Split:
    """Return shuffled rows, 60/20/20, in units of the training mean and deviation.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    log_density : ndarray of shape (n_samples,), default=None
        Their true log density, in nats, where it is known.

    Returns
    -------
    parts : Split
    """
    order = np.random.default_rng(0).permutation(len(X))
    train, val, test = np.split(order, [int(0.6 * len(X)), int(0.8 * len(X))])
    scaler = StandardScaler().fit(X[train])
    Z = scaler.transform(X)
    truth = None
    if log_density is not None:
        # Densities change with the unit of measurement, by the Jacobian of the scaling.
        truth = log_density[test] + np.log(scaler.scale_).sum()
    return Split(Z[train], Z[val], Z[test], truth)
