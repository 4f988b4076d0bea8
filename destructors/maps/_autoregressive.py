"""Shifts and scales of one feature by functions of those before it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Map, Mapped
from destructors.maps._predictors import Predictor

# A scale that varies stays within this factor of the constant one.
_LARGEST_FACTOR = 20.0


@dataclass(frozen=True, eq=False, repr=False)
class Autoregressive(Map):
    r"""Take from each feature what those before it tell about its mean and scale.

    .. math:: z_j = (x_j - f_j(x_{<j})) / (s_j e^{b(g_j(x_{<j}))})

    with ``b`` a smooth bound to ±log 20. Predictors see features in single precision,
    so that the last bits that an inverse may lose carry no row across a jump.

    Parameters
    ----------
    order : ndarray of int of shape (n_features,)
        Features in the order in which they are predicted.
    means : tuple of Predictor or None
        ``f_j`` of each feature; None leaves it alone. A predictor gets the features
        before its own, in the order.
    log_scales : tuple of Predictor or None
        ``g_j`` of each feature; None for a constant scale.
    scale : ndarray of shape (n_features,)
        ``s_j``, positive.

    References
    ----------
    Papamakarios, Pavlakou and Murray, *Masked autoregressive flow for density
    estimation*, NeurIPS 2017.
    """

    order: NDArray
    means: tuple[Predictor | None, ...]
    log_scales: tuple[Predictor | None, ...]
    scale: NDArray

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z, log_det = X.copy(), np.zeros(len(X))
        for k, j in enumerate(self.order):
            if self.means[j] is not None:
                mean, log_s = self._predict(j, X[:, self.order[:k]])
                Z[:, j] = (X[:, j] - mean) * np.exp(-log_s)
                log_det -= log_s
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = Z.copy(), np.zeros(len(Z))
        for k, j in enumerate(self.order):
            if self.means[j] is not None:
                mean, log_s = self._predict(j, X[:, self.order[:k]])
                X[:, j] = Z[:, j] * np.exp(log_s) + mean
                log_det += log_s
        return X, log_det

    def _predict(self, j: int, before: NDArray) -> Mapped:
        """Return mean and log-scale of a feature, given those before it."""
        mean, log_scale = self.means[j], self.log_scales[j]
        assert mean is not None
        before = round_seen(before)
        log_s = np.full(len(before), np.log(self.scale[j]))
        if log_scale is not None:
            log_s += bound_log_scale(log_scale.predict(before))
        return mean.predict(before), log_s


def round_seen(before: NDArray) -> NDArray:
    """Round features to single precision, as predictors see them."""
    reach = np.finfo(np.float32).max
    return np.clip(before, -reach, reach).astype(np.float32).astype(np.float64)


def bound_log_scale(log_factor: NDArray) -> NDArray:
    """Keep a predicted log-scale within reason, smoothly."""
    reach = np.log(_LARGEST_FACTOR)
    return reach * np.tanh(log_factor / reach)
