"""Normal scores of a parametric distribution, for one column."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp

from destructors.maps._checks import increases
from destructors.maps._cube import HALF_LOG_2PI
from destructors.maps._histogram import extrapolate
from destructors.maps._map import Map, Mapped

_N_NEWTON = 60
_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True, eq=False, repr=False)
class ParametricColumn(Map):
    r"""Normal scores :math:`\Phi^{-1}(F(x))` of a parametric family, for one column.

    :math:`F` is the distribution function of a family of :mod:`scipy.stats`, at ``(x -
    center) / scale``. Beyond the ends of the table the map is linear.

    Parameters
    ----------
    family : str
        Name of a continuous family of :mod:`scipy.stats`.
    parameters : tuple of float
        Shapes, location and scale of the family, in standard units.
    center, scale : float
        The origin and the (positive) size of the standard unit.
    points, scores : ndarray of shape (n_points,)
        A table of the map, to start the inverse from: places in standard units and
        their normal scores, both strictly increasing.
    end_slopes : ndarray of shape (2,)
        Slopes of the map beyond the table, in standard units.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import ParametricColumn
    >>> points, scores = np.array([0.0, 1e-3, 10.0]), np.array([-37.0, -3.1, 3.9])
    >>> column = ParametricColumn(
    ...     "expon", (0.0, 1.0), 0.0, 1.0, points, scores, np.array([1.0, 1.0])
    ... )
    >>> column.forward(np.array([[np.log(4.0)]]))[0].round(3)
    array([[0.674]])
    """

    family: str
    parameters: tuple[float, ...]
    center: float
    scale: float
    points: NDArray
    scores: NDArray
    end_slopes: NDArray

    feature_wise = True
    _positive = ("scale", "end_slopes")

    def is_valid(self) -> bool:
        """Return whether the table is one."""
        return (
            len(self.points) > 1
            and self.points.shape == self.scores.shape
            and self.end_slopes.shape == (2,)
            and increases(self.points)
            and increases(self.scores)
        )

    @cached_property
    def _law(self) -> Any:
        return family(self.family)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        x = (X[:, 0] - self.center) / self.scale
        inside = np.clip(x, self.points[0], self.points[-1])
        z, log_slope = family_scores(self._law, inside, self.parameters)
        extrapolate(x, z, log_slope, self.points, self.scores, self.end_slopes)
        return z[:, None], log_slope - np.log(self.scale)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        z = Z[:, 0]
        x, log_slope = self._solve(np.clip(z, self.scores[0], self.scores[-1]))
        extrapolate(
            x, z, log_slope, self.points, self.scores, self.end_slopes, back=True
        )
        with np.errstate(over="ignore"):
            x = x * self.scale + self.center
        x = np.clip(x, -_LARGEST, _LARGEST)
        return x[:, None], -(log_slope - np.log(self.scale))

    def _solve(self, z: NDArray) -> Mapped:
        """Invert by Newton steps in an interval of the table, halved if they leave."""
        k = np.searchsorted(self.scores, z, side="right") - 1
        k = np.clip(k, 0, len(self.scores) - 2)
        low, high = self.points[k], self.points[k + 1]
        x = np.interp(z, self.scores, self.points)
        left = np.arange(len(z))
        for _ in range(_N_NEWTON):
            score, log_slope = family_scores(self._law, x[left], self.parameters)
            miss = score - z[left]
            low = np.where(miss < 0, x[left], low)
            high = np.where(miss > 0, x[left], high)
            with np.errstate(all="ignore"):
                step = x[left] - miss / np.exp(log_slope)
            step = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
            moved = np.abs(step - x[left]) > 1e-14 * np.abs(step)
            x[left] = step
            left, low, high = left[moved], low[moved], high[moved]
            if not len(left):
                break
        return x, family_scores(self._law, x, self.parameters)[1]


def family(name: str) -> Any:
    """Return a family by name.

    Raises
    ------
    ValueError
        If scipy.stats has no such continuous family.
    """
    # It takes longer to import than all the rest of this folder.
    from scipy import stats

    law = getattr(stats, name, None)
    if not isinstance(law, stats.rv_continuous):
        raise ValueError(f"scipy.stats has no continuous family {name!r}.")
    return law


def log_density(law: Any, x: NDArray, parameters: tuple[float, ...]) -> NDArray:
    """Return the log density; minus infinity where scipy has none to give."""
    with np.errstate(all="ignore"):
        log_p = law.logpdf(x, *parameters)
    return np.where(np.isnan(log_p), -np.inf, log_p)


def family_scores(law: Any, x: NDArray, parameters: tuple[float, ...]) -> Mapped:
    """Return the normal score of the distribution function, and its log-slope.

    The tail in which a value lies is taken in log space, so nothing saturates where
    scipy's own logarithms do not.
    """
    with np.errstate(all="ignore"):
        below, above = law.logcdf(x, *parameters), law.logsf(x, *parameters)
        z = np.where(below < above, ndtri_exp(below), -ndtri_exp(above))
        log_slope = log_density(law, x, parameters) + 0.5 * z * z + HALF_LOG_2PI
    return z, log_slope
