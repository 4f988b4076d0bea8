"""Trees of boxes on the unit cube, one after the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._cube import from_cube, to_cube
from destructors.maps._jit import are_starts
from destructors.maps._map import Map, Mapped
from destructors.maps._tree_kernels import SPLIT, beyond_cube, push_trees


@dataclass(frozen=True, eq=False, repr=False)
class Trees(Map):
    r"""Move boxes of the unit cube to other boxes, tree after tree.

    A row enters the cube by the normal distribution function, goes through all trees
    there, and comes back. A tree cuts the cube into boxes and maps each to its image,
    affinely along each feature:

    .. math:: u_j \mapsto a'_j + \frac{b'_j - a'_j}{b_j - a_j} (u_j - a_j)

    where :math:`[a_j, b_j)` is the box and :math:`[a'_j, b'_j)` its image. A coordinate
    5 or more from 0 is beyond the cube: it stays what it is and adds nothing to the
    determinant, while the row's other coordinates are mapped as on the face of the
    cube.

    ``trees[i]`` is the map of one tree, ``trees[:k]`` that of the first k.

    Parameters
    ----------
    splits : ndarray of shape (n_splits,)
        Those of all trees, one tree after the other, each in the order in which its
        boxes are cut. A record of ``node`` and ``feature``, what is cut and along
        which axis, and ``t_in`` and ``t_out``, where the cut stands before the map and
        after it. Node 0 of a tree is the cube; its split ``k`` makes the nodes
        ``2 k + 1``, below the cut, and ``2 k + 2``, above it.
    starts : ndarray of shape (n_trees + 1,), dtype int64
        Where the splits of each tree begin. Without trees the map is the identity.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3.3.

    Examples
    --------
    One tree that cuts the first feature in the middle and moves the cut to 0.8:

    >>> import numpy as np
    >>> from destructors.maps import Trees
    >>> half = np.array([(0, 0, 0.5, 0.8)], "i4, i4, f4, f4")
    >>> Z, log_det = Trees.of([half]).forward(np.array([[-1e-9, 1.0], [1e-9, 1.0]]))
    >>> Z.round(2)
    array([[0.84, 1.  ],
           [0.84, 1.  ]])
    """

    splits: NDArray
    starts: NDArray

    def __post_init__(self) -> None:
        # Compiled loops look at nothing else before they follow the nodes.
        splits, starts = self.splits, self.starts
        right = (
            splits.dtype == SPLIT
            and splits.ndim == 1
            and are_starts(starts, len(splits))
        )
        if right and len(splits):
            own = np.arange(len(splits)) - np.repeat(starts[:-1], np.diff(starts))
            node, feature = splits["node"], splits["feature"]
            right = min(node.min(), feature.min()) >= 0 and (node <= 2 * own).all()
        if not right:
            raise ValueError(
                "Trees needs splits of nodes that are there, one tree after the other, "
                f"and starts that part them by trees; got {self!r}."
            )

    @cached_property
    def _last_feature(self) -> int:
        return int(self.splits["feature"].max())

    @classmethod
    def of(cls, trees: Iterable[NDArray]) -> "Trees":
        """Return the map of trees, each given by the array of its splits."""
        trees = [np.asarray(tree, SPLIT) for tree in trees]
        starts = np.cumsum([0, *map(len, trees)], dtype=np.int64)
        return cls(np.concatenate([np.empty(0, SPLIT), *trees]), starts)

    # ------------------------------------------------------------------ a sequence

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> "Iterator[Trees]":
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice) -> "Trees":
        if not isinstance(index, slice):
            i = range(len(self))[index]
            index = slice(i, i + 1)
        first, last, step = index.indices(len(self))
        if step != 1:
            raise ValueError(f"{index} is not a run of trees.")
        starts = self.starts[first : max(first, last) + 1]
        return Trees(self.splits[starts[0] : starts[-1]], starts - starts[0])

    # ------------------------------------------------------------------ a map

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._through_cube(X, inverse=False)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._through_cube(Z, inverse=True)

    def _through_cube(self, Z: NDArray, inverse: bool) -> Mapped:
        if len(self.splits) == 0:
            return Z.copy(), np.zeros(len(Z))
        if (d := Z.shape[1]) <= self._last_feature:
            raise ValueError(
                f"These trees split column {self._last_feature}; there are {d} columns."
            )
        U, log_det = to_cube(Z), np.zeros(len(Z))
        push_trees(U, beyond_cube(U), self.splits, self.starts, log_det, inverse)
        moved, log_det_cube = from_cube(U, Z)
        return moved, log_det + log_det_cube
