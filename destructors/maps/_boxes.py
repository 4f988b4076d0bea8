"""The Rosenblatt map of a density that is constant on boxes: one feature after another.

Given the features before it, a feature of such a density has one that is constant
between neighbouring edges of boxes, so its distribution function is piecewise linear.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.maps._blocks import multiply
from destructors.maps._cube import from_cube, to_cube
from destructors.maps._map import BothWays, Mapped

# Times this, a number goes to the next smaller one.
_BELOW = 1.0 - 2.0**-53


class _Feature(NamedTuple):
    """What is known of one feature.

    Attributes
    ----------
    edges : ndarray of shape (n_cells + 1,)
        Where boxes begin and end along it, from 0 to 1.
    below : ndarray of shape (n_boxes, n_cells + 1)
        Share of each box that is below each edge.
    rate : ndarray of shape (n_cells, n_boxes)
        One over the length of a box, where it covers the cell; else 0.
    """

    edges: NDArray
    below: NDArray
    rate: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class BoxRosenblatt(BothWays):
    r"""Map a density that is constant on boxes of the unit cube to the uniform one.

    .. math:: u_j \mapsto F(u_j | u_1 … u_{j-1})

    Rows enter the cube by the normal distribution function and leave it again as in
    `Trees`; coordinates 5 or more from 0 stay what they are, and those after them see
    the face of the cube. Inside, the density is that of the boxes.

    Parameters
    ----------
    low, high : ndarray of shape (n_boxes, n_features)
        Lower and upper ends of boxes that part the cube.
    probabilities : ndarray of shape (n_boxes,)
        Positive, of sum one.

    References
    ----------
    M. Rosenblatt, *Remarks on a multivariate transformation*, Annals of Mathematical
    Statistics 23, 1952.
    """

    low: NDArray
    high: NDArray
    probabilities: NDArray

    _positive = ("probabilities",)

    def is_valid(self) -> bool:
        """Return whether there is a probability for each box, and no box is empty."""
        return (
            self.low.ndim == 2
            and self.low.shape == self.high.shape
            and self.probabilities.shape == self.low.shape[:1]
            and bool((self.low < self.high).all())
            and bool((self.low >= 0.0).all() and (self.high <= 1.0).all())
        )

    @cached_property
    def _features(self) -> list[_Feature]:
        features = []
        for low, high in zip(self.low.T, self.high.T, strict=True):
            edges = np.unique(np.r_[0.0, low, high, 1.0])
            length = (high - low)[:, None]
            below = np.clip((edges - low[:, None]) / length, 0.0, 1.0)
            covers = (low[:, None] <= edges[:-1]) & (high[:, None] >= edges[1:])
            rate = np.ascontiguousarray((covers / length).T)
            features.append(_Feature(edges, below, rate))
        return features

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        ahead, U = way == "forward", to_cube(X)
        moved, log_det, rows = U.copy(), np.zeros(len(X)), np.arange(len(X))
        # Probability of each box, given the features so far.
        share = np.tile(self.probabilities, (len(X), 1))
        for j, (edges, below, rate) in enumerate(self._features):
            share /= share.sum(axis=1, keepdims=True)
            u, images = U[:, j], multiply(share, below)
            images[:, 0], images[:, -1] = 0.0, 1.0
            last = len(edges) - 2
            if ahead:
                k = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, last)
            else:
                k = np.clip((images <= u[:, None]).sum(axis=1) - 1, 0, last)
            ends = edges[k], edges[k + 1]
            image_ends = images[rows, k], images[rows, k + 1]
            slope = (image_ends[1] - image_ends[0]) / (ends[1] - ends[0])
            inside = (u > 0.0) & (u < 1.0)
            if ahead:
                start, stop = image_ends
                value = start + slope * (u - ends[0])
            else:
                start, stop = ends
                value = start + (u - image_ends[0]) / slope
            # Rounding leads no row out of its cell.
            value = np.clip(value, start, np.maximum(stop * _BELOW, start))
            moved[:, j] = np.where(inside, value, u)
            sign = 1.0 if ahead else -1.0
            log_det += np.where(inside, sign * np.log(slope), 0.0)
            share *= rate[k]
        return from_cube(moved, X, log_det)
