"""A map of what rows are along some directions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._affine import Affine
from destructors.maps._blocks import multiply
from destructors.maps._jit import has_numba
from destructors.maps._map import BothWays, Map, Mapped
from destructors.maps._slices import Layer, Slices, can_pack

_LARGEST = np.finfo(float).max
# A way back to less than this share is a long one: a sum would lose three digits.
_FAR = 2.0**-10
# Beyond so many columns a product of matrices is faster by BLAS than in the kernel.
_MOST_COLUMNS = 128


@dataclass(frozen=True, eq=False, repr=False)
class Along(BothWays):
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

    @cached_property
    def _across(self) -> NDArray:
        """Orthonormal columns across the directions."""
        n_directions = self.directions.shape[1]
        full, _ = np.linalg.qr(self.directions, mode="complete")
        return np.ascontiguousarray(full[:, n_directions:])

    @cached_property
    def slices(self) -> Slices | None:
        """What the compiled kernel takes; None for another map than it knows."""
        if not can_pack(self.map):
            return None
        return Slices.of(Layer(self.directions, self.map))

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        if has_numba() and self.slices is not None:
            return getattr(self.slices, way)(X)
        return self._through_plain(X, context, way)

    def _through_plain(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        projected = multiply(X, self.directions)
        moved, log_det = getattr(self.map, way)(projected, context)
        # What float64 does not reach is at its end.
        with np.errstate(over="ignore"):
            steps = np.clip(moved - projected, -_LARGEST, _LARGEST)
            Z = X + multiply(steps, self.directions.T)
        # A long way back to small numbers is no sum, which would round them as the
        # large ones: what lies across is taken by itself.
        # Nor is one column, which would be rounded as what comes in.
        far = np.abs(moved).max(axis=1) < _FAR * np.abs(projected).max(axis=1)
        far |= X.shape[1] == 1
        if far.any():
            Z[far] = multiply(moved[far], self.directions.T)
            if self._across.shape[1]:
                with np.errstate(over="ignore"):
                    Z[far] += multiply(multiply(X[far], self._across), self._across.T)
        return np.clip(Z, -_LARGEST, _LARGEST, out=Z), log_det


def join_slices(maps: Sequence[Map]) -> list[Any]:
    """Return maps in which layers that the kernel takes in one pass are one.

    These are maps along directions, and splines with a rotation after each, if there
    are two or more of them in a row.

    Parameters
    ----------
    maps : sequence of Map
        One after the other, no chains among them.

    Returns
    -------
    steps : list
        Of what has ``forward`` and ``inverse``.
    """
    if not has_numba():
        return list(maps)
    steps: list[Any] = []
    for packed, run in groupby(_layers(maps), lambda pair: pair[0] is not None):
        layers, parts = zip(*run, strict=True)
        if packed and (len(layers) > 1 or not layers[0].turns):
            steps.append(Slices.of(*layers))
        else:
            # To pack one spline and rotation takes longer than it saves.
            steps.extend(chain.from_iterable(parts))
    return steps


def _layers(maps: Sequence[Map]) -> Iterator[tuple[Layer | None, Sequence[Map]]]:
    """Yield what the kernel takes, or None, and the maps that make it."""
    i = 0
    while i < len(maps):
        layer, first = None, maps[i]
        if isinstance(first, Along) and can_pack(first.map):
            layer = Layer(first.directions, first.map)
        elif i + 1 < len(maps) and can_pack(first):
            matrix = _rotation_of(maps[i + 1])
            layer = None if matrix is None else Layer(matrix, first, turns=True)
        n_maps = 2 if layer is not None and layer.turns else 1
        yield layer, maps[i : i + n_maps]
        i += n_maps


def _rotation_of(map_: Map) -> NDArray | None:
    """Return the matrix of a rotation of not too many columns."""
    if not isinstance(map_, Affine) or len(map_.location) > _MOST_COLUMNS:
        return None
    return map_.matrix if map_.is_rotation else None
