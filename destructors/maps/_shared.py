"""One map for many groups of columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.maps._checks import are_positions
from destructors.maps._map import BothWays, Map, Mapped


@dataclass(frozen=True, eq=False, repr=False)
class SharedColumns(BothWays):
    """The same map for each group of columns; the other columns stay what they are.

    Parameters
    ----------
    map : Map
        The map of ``group_size`` columns.
    groups : ndarray of int of shape (n_groups, group_size)
        Positions of the columns of each; no column is in two.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine, SharedColumns
    >>> shift = Affine(np.array([0.0, 1.0]), np.ones(2))
    >>> both = SharedColumns(shift, np.array([[0, 1], [3, 2]]))
    >>> both.forward(np.ones((1, 5)))[0]
    array([[1., 0., 0., 1., 1.]])
    """

    map: Map
    groups: NDArray

    def is_valid(self) -> bool:
        """Return whether no column is in two groups."""
        return self.groups.ndim == 2 and are_positions(self.groups.ravel())

    @property
    def feature_wise(self) -> bool:
        """Whether the map is."""
        return self.map.feature_wise

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        Z, total = X.copy(), np.zeros(len(X))
        n_groups, size = self.groups.shape
        if n_groups == 0:
            return Z, total
        # Groups of a row one below the other: one call maps them all.
        parts = X[:, self.groups].reshape(-1, size)
        seen = None if context is None else np.repeat(context, n_groups, axis=0)
        moved, log_det = getattr(self.map, way)(parts, seen)
        Z[:, self.groups] = moved.reshape(-1, n_groups, size)
        return Z, log_det.reshape(-1, n_groups).sum(axis=1)
