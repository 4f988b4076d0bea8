"""A map along some directions."""

from dataclasses import dataclass

from numpy.typing import NDArray

from destructors.maps._map import Map, Mapped


@dataclass(frozen=True, eq=False, repr=False)
class Along(Map):
    r"""A map of what rows are along some directions; across them nothing changes.

    .. math:: z = x + W (T(W^T x) - W^T x)

    Parameters
    ----------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal columns :math:`W`.
    map : Map
        The map :math:`T` of ``n_directions`` columns.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine, Along
    >>> half = Affine(np.zeros(1), np.array([2.0]))
    >>> Along(np.array([[0.0], [1.0]]), half).forward(np.array([[4.0, 4.0]]))
    (array([[4., 2.]]), array([-0.69314718]))
    """

    directions: NDArray
    map: Map

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        projected = X @ self.directions
        moved, log_det = self.map.forward(projected, context)
        return X + (moved - projected) @ self.directions.T, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        projected = Z @ self.directions
        moved, log_det = self.map.inverse(projected, context)
        return Z + (moved - projected) @ self.directions.T, log_det
