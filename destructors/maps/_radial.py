"""A map of the distance from the origin, which leaves directions what they are."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._chi import find_radii, score_radii
from destructors.maps._map import Map, Mapped

_LARGEST = np.finfo(float).max
_LOG_LARGEST = np.log(_LARGEST)
# Steeper in logarithms, or flatter, no digit is left: the square would overflow.
_STEEPEST = 300.0
# The logarithm of a radius that equals its score, beside which 1 does not count.
_FAR = 40.0
# Scores of so few rows of a standard normal are larger, one in forty, that the scale
# has no need to be theirs from here on. (Of 1, 2, 3, none, and an inverse hyperbolic
# sine, on normals and Student t in 2, 5 and 20 dimensions: 0.005 and 0.007 nats lost of
# 1,000 rows; without, 0.003 and 0.02.)
_BEND = 2.0


def scale_radii(log_radius: NDArray, n_features: int) -> tuple[NDArray, NDArray]:
    r"""Return places of radii on a line, where those of a standard normal are normal.

    That is the score :math:`v = \Phi^{-1}(F_\chi(r))` up to 2, from where it goes on
    as a logarithm does, :math:`2 + \log(v - 1)`: radii of heavy tails are not far out.

    Parameters
    ----------
    log_radius : ndarray of shape (n_samples,)
        Natural logarithms of radii.
    n_features : int
        Dimension of the rows.

    Returns
    -------
    place : ndarray of shape (n_samples,)
    log_slope : ndarray of shape (n_samples,)
        Log of its derivative with respect to the log of the radius.
    """
    near = np.minimum(log_radius, _FAR)
    score, log_slope = score_radii(near, n_features)
    bent = np.log1p(np.maximum(score - _BEND, 0.0))
    place = np.minimum(score, _BEND) + bent + (log_radius - near)
    return place, np.where(log_radius > near, 0.0, log_slope - bent)


def unscale_radii(place: NDArray, n_features: int) -> tuple[NDArray, NDArray]:
    """Return the log of the radius at each place, and of its slope there: undo
    `scale_radii`.
    """
    near = np.minimum(place, _FAR)
    bent = np.maximum(near - _BEND, 0.0)
    score = np.minimum(near, _BEND) + np.expm1(bent)
    log_radius, log_slope = find_radii(score, n_features)
    is_far = place > near
    return log_radius + (place - near), np.where(is_far, 0.0, log_slope + bent)


@dataclass(frozen=True, eq=False, repr=False)
class Radial(Map):
    r"""A map of the length of rows, as an elliptical density needs it.

    .. math:: z = x \, g(r) / r, \quad r = |x|

    Here :math:`g(r) = F_\chi^{-1}(\Phi(T(a(r))))`: from where `scale_radii` has put a
    radius, at :math:`a`, :math:`T` takes it to N(0, 1), and the rest is the length of a
    standard normal row of the same probability. The log-determinant is
    :math:`(d - 1) \log(g(r) / r) + \log g'(r)`.

    Within a small radius :math:`r_0` the map is smooth, whatever :math:`T` is there:
    :math:`g^{-2}` goes on as a linear function of :math:`r^{-2}`, with the value and
    the slope it has at :math:`r_0`. So :math:`g(r) / r` is an even, positive, analytic
    function of the distance from the center, and the density is finite there.

    Parameters
    ----------
    map : Map
        :math:`T`, of one column.
    radius : float
        :math:`r_0`, positive.
    n_features : int
        Number of columns :math:`d`.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine, Radial
    >>> map_ = Radial(Affine(np.zeros(1), np.full(1, 2.0)), 0.1, 2)
    >>> Z, log_det = map_.forward(np.array([[3.0, 4.0], [0.0, 0.0]]))
    >>> np.hypot(*Z.T).round(2)
    array([2.43, 0.  ])
    """

    map: Map
    radius: float
    n_features: int

    _positive = ("radius",)

    @staticmethod
    def of(map_: Map, log_radius: NDArray, n_features: int) -> "Radial":
        """Return the map that is smooth within the smallest of radii.

        Of those alone that keep digits: what a map takes to less than ``exp(-300)`` is
        as good as the center itself.

        Parameters
        ----------
        map_ : Map
            :math:`T`.
        log_radius : ndarray of shape (n_samples,)
            Natural logarithms of the radii of training rows.
        n_features : int
            Dimension.
        """
        found = Radial(map_, float(np.exp(log_radius.min())), n_features)
        if found._center[1] >= -_STEEPEST:
            return found
        images, _ = found._outside(log_radius)
        kept = log_radius[images >= -_STEEPEST]
        smallest = kept.min() if len(kept) else log_radius.max()
        return Radial(map_, float(np.exp(smallest)), n_features)

    def is_valid(self) -> bool:
        """Return whether the map inside takes one column."""
        Z, _ = self.map.forward(np.zeros((1, 1)))
        return self.n_features >= 1 and Z.shape == (1, 1)

    @cached_property
    def _center(self) -> tuple[float, float, float]:
        """Logs of the radius within which there is no `map`, of the one it becomes, and
        of the slope between such logarithms.
        """
        log_radius = np.log(np.full(1, self.radius))
        found, log_slope = self._outside(log_radius)
        log_steep = np.clip(log_slope[0], -_STEEPEST, _STEEPEST)
        return float(log_radius[0]), float(found[0]), float(log_steep)

    def _outside(self, log_radius: NDArray) -> tuple[NDArray, NDArray]:
        """Return the log of the image of each radius, and that of its derivative with
        respect to the log of the radius.
        """
        place, log_slope = scale_radii(log_radius, self.n_features)
        score, log_det = self.map.forward(place[:, None])
        found, log_slope_back = find_radii(score[:, 0], self.n_features)
        return found, log_slope + log_det + log_slope_back

    def _outside_back(self, log_radius: NDArray) -> tuple[NDArray, NDArray]:
        score, log_slope = score_radii(log_radius, self.n_features)
        place, log_det = self.map.inverse(score[:, None])
        found, log_slope_back = unscale_radii(place[:, 0], self.n_features)
        return found, log_slope + log_det + log_slope_back

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        log_radius, unit = _split(X)
        Z, log_det = np.empty_like(X), np.empty(len(X))
        log_start, log_image, log_steep = self._center
        far = log_radius > log_start
        if far.any():
            found, log_slope = self._outside(log_radius[far])
            Z[far] = _put(found, unit[far])
            log_det[far] = self.n_features * (found - log_radius[far]) + log_slope
        near = ~far
        share = np.exp(2.0 * (log_radius[near] - log_start))
        # How the ratio of both radii changes from the edge towards the center.
        log_ratio = -0.5 * np.log(share + np.exp(log_steep) * (1.0 - share))
        found = log_radius[near] + (log_image - log_start) + log_ratio
        Z[near] = _put(found, unit[near])
        scaled = self.n_features * (log_image - log_start) + log_steep
        log_det[near] = scaled + (self.n_features + 2.0) * log_ratio
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        log_image, unit = _split(Z)
        X, log_det = np.empty_like(Z), np.empty(len(Z))
        log_start, log_end, log_steep = self._center
        far = log_image > log_end
        if far.any():
            found, log_slope = self._outside_back(log_image[far])
            X[far] = _put(found, unit[far])
            log_det[far] = self.n_features * (found - log_image[far]) + log_slope
        near = ~far
        share = np.exp(2.0 * (log_image[near] - log_end))
        log_ratio = 0.5 * (np.log1p(np.expm1(log_steep) * share) - log_steep)
        found = log_image[near] + (log_start - log_end) - log_ratio
        X[near] = _put(found, unit[near])
        scaled = self.n_features * (log_end - log_start) + log_steep
        log_det[near] = -scaled - (self.n_features + 2.0) * log_ratio
        return X, log_det


def _split(X: NDArray) -> tuple[NDArray, NDArray]:
    """Return the log of the length of each row, and the row at length one."""
    largest = np.abs(X).max(axis=1)
    # Of numbers up to one no square is out of range.
    shares = X / np.where(largest > 0.0, largest, 1.0)[:, None]
    lengths = np.sqrt((shares**2).sum(axis=1))
    with np.errstate(divide="ignore"):
        log_radius = np.log(largest) + np.log(lengths)
    return log_radius, shares / np.where(largest > 0.0, lengths, 1.0)[:, None]


def _put(log_radius: NDArray, unit: NDArray) -> NDArray:
    """Return rows of given lengths; what float64 does not reach is at its end."""
    # A length may be beyond it, where no column is.
    root = np.exp(np.minimum(0.5 * log_radius, _LOG_LARGEST))[:, None]
    with np.errstate(over="ignore"):
        return np.clip(unit * root * root, -_LARGEST, _LARGEST)
