"""Maps of numbers that see codes and integers beside them, and leave these."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from destructors.maps._checks import are_positions
from destructors.maps._classes import Emission
from destructors.maps._gaussians import Gaussians
from destructors.maps._map import BothWays, Map, Mapped
from destructors.maps._mixed_mixture import MixedMixture
from destructors.maps._rosenblatt import invert_factors, solve_rows


@dataclass(frozen=True, eq=False, repr=False)
class MixedRosenblatt(BothWays):
    r"""Map the numbers of a mixed mixture to N(0, I), given its integers and codes.

    .. math:: z_j = \Phi^{-1}(F(x_j | x_1 … x_{j-1}, c)) + \tau x_j

    Given integers and codes ``c`` the numbers follow a Gaussian mixture, in which each
    class has its posterior probability as its weight; from there it is the map of
    `Rosenblatt`, of numbers in the order of their group. Integers and codes stay what
    they are.

    Parameters
    ----------
    mixture : MixedMixture
        The mixture.
    tilt : float, default=0.0
        Slope ``τ`` that is added to the map of each number; see `Rosenblatt`.

    Examples
    --------
    Where the code is 1, the number is about 5, mostly:

    >>> import numpy as np
    >>> from destructors.base_distributions import MixedMixture
    >>> from destructors.maps import CodeForest, Gaussians, MixedRosenblatt
    >>> numbers = Gaussians(np.array([[0.0], [5.0]]), np.ones((2, 1, 1)))
    >>> codes = CodeForest(np.array([-1]), (np.array([[0.99, 0.01], [0.01, 0.99]]),))
    >>> mixture = MixedMixture(
    ...     np.array([0.5, 0.5]), (numbers, codes), (np.array([0]), np.array([1]))
    ... )
    >>> MixedRosenblatt(mixture).forward(np.array([[0.0, 0.0], [5.0, 1.0]]))[0].round(3)
    array([[-0.013,  0.   ],
           [ 0.013,  1.   ]])
    """

    mixture: MixedMixture
    tilt: float = 0.0

    def is_valid(self) -> bool:
        """Return whether there are numbers."""
        return self.mixture.gaussians is not None and self.tilt >= 0.0

    @cached_property
    def _numbers(self) -> tuple[Gaussians, NDArray]:
        parts: list[tuple[Emission, NDArray]] = list(
            zip(self.mixture.emissions, self.mixture.groups, strict=True)
        )
        [found] = [(e, group) for e, group in parts if isinstance(e, Gaussians)]
        return found

    @cached_property
    def _features(self) -> tuple[NDArray, ...]:
        gaussians, _ = self._numbers
        factors = np.linalg.cholesky(gaussians.covariances)
        return invert_factors(gaussians.means, factors)

    def keeps(self, codes: NDArray) -> NDArray:
        """Return that all but numbers stay what they are; see `Map.keeps`."""
        return _all_but(self._numbers[1], len(codes))

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        _, numbers = self._numbers
        seen, Z = X.copy(), X.copy()
        seen[:, numbers] = np.nan
        logs = self.mixture.log_joint(seen)
        logs -= logsumexp(logs, axis=1, keepdims=True)
        back = way == "inverse"
        Z[:, numbers], log_det = solve_rows(
            X[:, numbers], logs, self._features, self.tilt, back
        )
        return Z, -log_det if back else log_det


@dataclass(frozen=True, eq=False, repr=False)
class GivenColumns(BothWays):
    """A map of some columns that sees others, which stay what they are.

    Each of what is seen is a curve of a column: straight lines between points, level
    beyond them. Of codes the points are all codes, so that they can be seen in any
    order, or in several.

    Parameters
    ----------
    sources : ndarray of int of shape (n_seen,)
        The columns of which these are curves; one may be seen in several ways.
    points, values : tuple of ndarray of shape (n_points,)
        Each curve, at increasing points.
    columns : ndarray of int
        Positions of the columns that are moved.
    map : Map
        A map of what is seen and these, in this order, that leaves what is seen.

    Examples
    --------
    The number of a row is shifted by 5 times its code. What is seen is left:

    >>> import numpy as np
    >>> from destructors.maps import Autoregressive, GivenColumns
    >>> from destructors.maps._autoregressive import Linear
    >>> shift = Autoregressive(
    ...     np.arange(2), (None, Linear(np.array([5.0]), 0.0)), (None, None), np.ones(2)
    ... )
    >>> codes = np.array([0.0, 1.0])
    >>> given = GivenColumns(np.array([0]), (codes,), (codes,), np.array([1]), shift)
    >>> given.forward(np.array([[0.0, 1.0], [1.0, 6.0]]))[0]
    array([[0., 1.],
           [1., 1.]])
    """

    sources: NDArray
    points: tuple[NDArray, ...]
    values: tuple[NDArray, ...]
    columns: NDArray
    map: Map

    def is_valid(self) -> bool:
        """Return whether there is a curve for each of what is seen."""
        n = len(self.sources)
        curves = list(zip(self.points, self.values, strict=False))
        return (
            len(self.points) == len(self.values) == n
            and are_positions(self.columns)
            and not np.isin(self.sources, self.columns).any()
            and all(x.ndim == 1 and len(x) and x.shape == y.shape for x, y in curves)
            and all((np.diff(x) > 0).all() for x in self.points)
        )

    def keeps(self, codes: NDArray) -> NDArray:
        """Return that all but the columns that are moved stay; see `Map.keeps`."""
        return _all_but(self.columns, len(codes))

    def see(self, X: NDArray) -> NDArray:
        """Return what the map gets: what is seen, and the columns to be moved."""
        curves = zip(self.sources, self.points, self.values, strict=True)
        seen = [np.interp(X[:, j], x, y) for j, x, y in curves]
        return np.column_stack([*seen, X[:, self.columns]])

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        moved, log_det = getattr(self.map, way)(self.see(X), context)
        Z = X.copy()
        Z[:, self.columns] = moved[:, len(self.sources) :]
        return Z, log_det


def _all_but(columns: NDArray, n_features: int) -> NDArray:
    kept = np.ones(n_features, dtype=bool)
    kept[columns] = False
    return kept
