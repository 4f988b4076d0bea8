"""scikit-learn's density estimators, their size chosen on validation rows."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KernelDensity

__all__ = ["KernelDensityByValidation", "MixtureByValidation", "hold_out"]


def hold_out(X: NDArray, X_val: NDArray | None) -> tuple[NDArray, NDArray]:
    """Return rows to train on and rows to choose by: a fifth of ``X`` if none given.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Training rows.
    X_val : ndarray of shape (n_validation_samples, n_features) or None
        Validation rows.

    Returns
    -------
    train, val : ndarray
        The two parts.
    """
    if X_val is not None:
        return X, X_val
    train, val = train_test_split(X, test_size=0.2, random_state=0)
    return train, val


class MixtureByValidation:
    """Gaussian mixture with the number of components that validation likes best.

    Parameters
    ----------
    random_state : int
        Seed of the initialisations.
    n_components : sequence of int
        Numbers to try; those above the number of rows are passed over.
    """

    def __init__(
        self,
        random_state: int,
        n_components: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64),
    ):
        self.random_state = random_state
        self.n_components = n_components

    def fit(self, X: NDArray, *, X_val: NDArray | None = None) -> MixtureByValidation:
        """Fit a mixture of each size; keep the best on ``X_val``.

        Without ``X_val`` they are judged on rows held out, and the best size is fitted
        again on all rows.
        """
        train, val = hold_out(X, X_val)
        best = -np.inf
        for n_components in self.n_components:
            if n_components > len(train):
                break
            mixture = self._fit_size(n_components, train)
            if (score := mixture.score(val)) > best:
                best, self.mixture_ = score, mixture
        if X_val is None:
            self.mixture_ = self._fit_size(self.mixture_.n_components, X)
        self.size_ = f"{self.mixture_.n_components} components"
        if not self.mixture_.converged_:
            self.size_ += ", not converged"
        return self

    def _fit_size(self, n_components: int, X: NDArray) -> GaussianMixture:
        mixture = GaussianMixture(
            n_components, max_iter=300, random_state=self.random_state
        )
        with warnings.catch_warnings():
            # One that has not converged is judged on validation like the others.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mixture.fit(X)

    def score_samples(self, X: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""
        return self.mixture_.score_samples(X)

    def sample(self, n_samples: int, random_state: int) -> NDArray:
        """Return rows that are drawn."""
        self.mixture_.random_state = random_state
        return self.mixture_.sample(n_samples)[0]


class KernelDensityByValidation:
    """Gaussian kernel density with the bandwidth that validation likes best.

    The bandwidth is searched between 0.01 and 2. Log densities are right to about 1e-4
    nats, which takes half the time of exact ones.
    """

    def fit(
        self, X: NDArray, *, X_val: NDArray | None = None
    ) -> KernelDensityByValidation:
        """Search the bandwidth on ``X_val`` by Brent's method on its logarithm.

        Without ``X_val`` it is searched on rows held out, and used with all rows.
        """
        train, val = hold_out(X, X_val)

        def with_bandwidth(log_bandwidth, rows):
            return KernelDensity(bandwidth=np.exp(log_bandwidth), rtol=1e-4).fit(rows)

        search = minimize_scalar(
            lambda log_bandwidth: -with_bandwidth(log_bandwidth, train).score(val),
            bounds=np.log([0.01, 2.0]),
            method="bounded",
            options={"xatol": 0.02},
        )
        self.kernel_density_ = with_bandwidth(search.x, X)
        self.size_ = f"bandwidth {self.kernel_density_.bandwidth:.3g}"
        return self

    def score_samples(self, X: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""
        return self.kernel_density_.score_samples(X)

    def sample(self, n_samples: int, random_state: int) -> NDArray:
        """Return rows that are drawn."""
        return self.kernel_density_.sample(n_samples, random_state=random_state)
