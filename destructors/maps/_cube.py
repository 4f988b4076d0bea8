"""The unit cube, and the unit cube inside the latent space.

Trees and step densities think on the unit cube. They get there by the normal
distribution function, restricted to ``|z| < CUTOFF``: nearer to the edge of the cube
float64 has too few digits for an exact inverse. A coordinate beyond the cutoff stays
what it is, and stands in the cube exactly at 0 or 1, which every map of the cube
leaves in place; so the whole stays a bijection, and its density falls off like the
normal one.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._checks import increases, list_columns
from destructors.maps._map import BothWays, Map, Mapped

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
# Squares of larger numbers would overflow.
LARGEST = 1e150
# What the faces of the cube stand for: the numbers next to them.
_LOWEST, _HIGHEST = np.finfo(np.float64).tiny, 1.0 - 2.0**-53
CUTOFF = 5.0
_BELOW = float(ndtr(-CUTOFF))
_INSIDE = 1.0 - 2.0 * _BELOW
# Coordinates inside the cutoff stay off the faces, whatever the rounding.
_EDGE = 2.0**-53
_INNERMOST = float(np.nextafter(CUTOFF, 0.0))


def to_cube(Z: NDArray) -> NDArray:
    """Map the latent space to the closed unit cube.

    Parameters
    ----------
    Z : ndarray
        Latent coordinates.

    Returns
    -------
    U : ndarray
        In (0, 1) where ``|z| < CUTOFF``; exactly 0 or 1 elsewhere.
    """
    U = (ndtr(Z) - _BELOW) / _INSIDE
    np.clip(U, _EDGE, 1.0 - _EDGE, out=U)
    U[Z <= -CUTOFF] = 0.0
    U[Z >= CUTOFF] = 1.0
    return U


def from_cube(U: NDArray, Z: NDArray, log_det: NDArray | float = 0.0) -> Mapped:
    """Map a point of the cube back, after some map moved it there.

    Parameters
    ----------
    U : ndarray of shape (n_samples, n_features)
        Where the rows are in the cube now.
    Z : ndarray of shape (n_samples, n_features)
        Where they were in the latent space before.
    log_det : ndarray of shape (n_samples,), default=0.0
        Log-determinant of the map in between, in nats.

    Returns
    -------
    moved : ndarray of shape (n_samples, n_features)
        Latent coordinates; those beyond the cutoff are unchanged.
    log_det : ndarray of shape (n_samples,)
        Log-determinant of going into the cube, through that map, and back, in nats.
    """
    inside = np.abs(Z) < CUTOFF
    moved = np.where(inside, ndtri(_BELOW + _INSIDE * U), Z)
    # Both ways pass through the same normal density: dz'/du' over dz/du.
    # Halved before they are added, the largest numbers do not overflow.
    middle = 0.5 * moved + 0.5 * Z
    return moved, log_det + np.einsum("ij,ij->i", moved - Z, middle)


def normal_scores(below: NDArray, above: NDArray) -> NDArray:
    """Return normal quantiles, by the probabilities of both tails: 1 - p has no digits
    left where p is nearly 1.
    """
    score = ndtri(np.minimum(below, above))
    return np.where(below < above, score, -score)


@dataclass(frozen=True, eq=False, repr=False)
class NormalToUniform(Map):
    r"""The normal distribution function :math:`\Phi(x_j)` of each column.

    Rows that follow :math:`N(0, I)` become uniform on the unit cube.

    Parameters
    ----------
    names : tuple of str or None
        Names of the columns, for the message.

    Raises
    ------
    ValueError
        By ``inverse``, for rows outside the closed unit cube.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import NormalToUniform
    >>> NormalToUniform().forward(np.array([[0.0, 1.96]]))[0].round(3)
    array([[0.5  , 0.975]])
    """

    names: tuple[str, ...] | None = None

    feature_wise = True

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return ndtr(X), _log_density(X)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        outside = (Z < 0.0) | (Z > 1.0)
        if outside.any():
            names = list_columns(outside, self.names or range(Z.shape[1]))
            raise ValueError(
                "The inverse of NormalCDF takes rows of the unit cube, but column(s) "
                f"{names} have values outside [0, 1]."
            )
        X = ndtri(np.clip(Z, _LOWEST, _HIGHEST))
        return X, -_log_density(X)


def _log_density(X: NDArray) -> NDArray:
    X = np.clip(X, -LARGEST, LARGEST)
    return -0.5 * np.einsum("ij,ij->i", X, X) - X.shape[1] * HALF_LOG_2PI


@dataclass(frozen=True, eq=False, repr=False)
class CubeSteps(BothWays):
    """Normal scores of a density that is a step function times the normal one.

    Each column goes to the unit interval by the normal distribution function (cut at 5
    standard deviations), through a piecewise linear distribution function there, and
    back. Beyond the cut it stays what it is; so does a column of one block.

    Parameters
    ----------
    edges : tuple of ndarray of shape (n_blocks_j + 1,)
        Edges of the blocks of each column, strictly increasing from 0 to 1.
    probabilities : tuple of ndarray of shape (n_blocks_j,)
        Probability of each block, positive; they sum to 1.

    Examples
    --------
    Twice as many below zero as above:

    >>> import numpy as np
    >>> from destructors.maps import CubeSteps
    >>> steps = CubeSteps((np.array([0.0, 0.5, 1.0]),), (np.array([2.0, 1.0]) / 3.0,))
    >>> steps.forward(np.array([[0.0], [6.0]]))[0].round(3).ravel()
    array([0.431, 6.   ])
    """

    edges: tuple[NDArray, ...]
    probabilities: tuple[NDArray, ...]

    feature_wise = True
    _positive = ("probabilities",)

    def is_valid(self) -> bool:
        """Return whether there are increasing edges around the blocks."""
        pairs = zip(self.edges, self.probabilities, strict=True)
        return all(
            increases(edges) and edges[1:].shape == p.shape and len(p) > 0
            for edges, p in pairs
        )

    @cached_property
    def _steps(self) -> dict[str, "_Steps"]:
        """Both ways through the columns of several blocks."""
        columns = [j for j, p in enumerate(self.probabilities) if len(p) > 1]
        edges, values = [], []
        for j in columns:
            edges.append(self.edges[j])
            shares = np.cumsum(self.probabilities[j][:-1])
            values.append(np.r_[0.0, shares, 1.0])
        return {
            "forward": _Steps(columns, edges, values),
            "inverse": _Steps(columns, values, edges),
        }

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        moved, log_det, steps = X.copy(), np.zeros(len(X)), self._steps[way]
        x = np.ascontiguousarray(X[:, steps.columns].T)
        inside = np.abs(x) < CUTOFF
        x = np.clip(x, -CUTOFF, CUTOFF)
        z, log_slope = steps.interpolate(x)
        # Both ways pass through the same normal density: dz'/du' over dz/du.
        log_slope += 0.5 * (z - x) * (z + x)
        log_slope[~inside] = 0.0
        # One after the other: a sum of many rows rounds otherwise than that of one.
        for j, values, found, row in zip(
            steps.columns, z, inside, log_slope, strict=True
        ):
            np.copyto(moved[:, j], values, where=found)
            log_det += row
        return moved, log_det


class _Steps:
    """The way of columns through the cube: linear between knots, by block.

    What is known of blocks stands in one list, column after column.
    """

    def __init__(self, columns: list[int], knots: list[NDArray], values: list[NDArray]):
        self.columns, self.knots, self.values = columns, knots, values
        n_blocks = [len(each) - 1 for each in knots]
        self._begin = np.cumsum([0, *n_blocks])[:-1]
        self._first, self._last = _join(knots)
        self._low, self._high = _join(values)
        slopes = [np.diff(y) / np.diff(x) for x, y in zip(knots, values, strict=True)]
        self._slope = np.concatenate([np.empty(0), *slopes])
        self._log_slope = np.log(self._slope)

    def interpolate(self, x: NDArray) -> Mapped:
        """Return latent coordinates and log-slopes, of shape (n_columns, n_samples).

        Places in the cube are measured from both faces: 1 - u has no digits left where
        u is nearly 1.
        """
        below, above = (
            np.maximum(ndtr(way * x) - _BELOW, 0.0) / _INSIDE for way in (1, -1)
        )
        k = np.empty(x.shape, np.intp)
        for j, (begin, knots) in enumerate(zip(self._begin, self.knots, strict=True)):
            k[j] = begin + np.searchsorted(knots[1:-1], below[j], side="right")
        slope = self._slope[k]
        below = self._low[k] + slope * np.maximum(below - self._first[k], 0.0)
        above = self._high[k] + slope * np.maximum(above - self._last[k], 0.0)
        z = normal_scores(_BELOW + _INSIDE * below, _BELOW + _INSIDE * above)
        # Rounding leads no coordinate out of the cube, where it would stay.
        return np.clip(z, -_INNERMOST, _INNERMOST), self._log_slope[k]


def _join(knots: list[NDArray]) -> tuple[NDArray, NDArray]:
    """Return where blocks begin, from below, and where they end, from above."""
    first = np.concatenate([np.empty(0), *(each[:-1] for each in knots)])
    last = np.concatenate([np.empty(0), *(1.0 - each[1:] for each in knots)])
    return first, last
