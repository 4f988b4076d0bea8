"""A map of the other columns for each cell that one column is cut in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._checks import increases
from destructors.maps._map import Map, Mapped


@dataclass(frozen=True, eq=False, repr=False)
class Cells(Map):
    """One column through a map, and the others through that of the cell they are in.

    Cells of cells make a tree: a coarse triangular (Knothe–Rosenblatt) map, whose order
    of columns may differ from cell to cell. The map jumps where the column is cut.

    Parameters
    ----------
    column : int
        The column that is cut.
    map : Map
        Its map, of one column, increasing.
    cuts : ndarray of shape (n_cells - 1,)
        Where cells end, in increasing order; a value on a cut belongs to the cell
        before it.
    maps : tuple of Map
        One a cell, of the other columns in their order.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine, Cells, Identity
    >>> up = Affine(np.array([-1.0]), np.ones(1))
    >>> cells = Cells(0, Identity(), np.array([0.0]), (Identity(), up))
    >>> cells.forward(np.array([[-2.0, 5.0], [2.0, 5.0]]))[0]
    array([[-2.,  5.],
           [ 2.,  6.]])
    """

    column: int
    map: Map
    cuts: NDArray
    maps: tuple[Map, ...]

    def is_valid(self) -> bool:
        """Return whether there is a map for each cell."""
        fits = len(self.maps) == len(self.cuts) + 1 and self.column >= 0
        return fits and increases(self.cuts)

    @cached_property
    def _images(self) -> NDArray:
        return self.map.forward(np.ascontiguousarray(self.cuts[:, None]))[0][:, 0]

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._apply(X, context, self.cuts, lambda part: part.forward)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._apply(Z, context, self._images, lambda part: part.inverse)

    def _apply(
        self,
        X: NDArray,
        context: NDArray | None,
        cuts: NDArray,
        way: Callable[[Map], Any],
    ) -> tuple[NDArray, NDArray]:
        Z = np.empty_like(X)
        own = X[:, [self.column]]
        Z[:, [self.column]], log_det = way(self.map)(own, context)
        others = np.delete(np.arange(X.shape[1]), self.column)
        cell = np.searchsorted(cuts, own[:, 0])
        for number, part in enumerate(self.maps):
            rows = np.flatnonzero(cell == number)
            if len(rows):
                place = rows[:, None], others
                known = None if context is None else context[rows]
                Z[place], gained = way(part)(X[place], known)
                log_det[rows] += gained
        return Z, log_det
