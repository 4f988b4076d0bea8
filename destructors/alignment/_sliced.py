"""Along a few directions: those in which the domains differ most."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors._compat import Interval
from destructors._stiefel import ascend, draw_frame
from destructors.alignment import _barycenter, _domains
from destructors.alignment._apart import PartApart
from destructors.alignment._levels import from_zero, means_between_levels
from destructors.alignment._queries import may_leave, stays
from destructors.alignment._summaries import most_levels
from destructors.maps import Affine, Along, Chain, Map, Switch
from destructors.rows import Rows

_N_DIRECTIONS = 30
# Quantile levels by which projections are compared.
_N_LEVELS = 32


class SlicedBarycenter(_barycenter.BarycenterDestructor):
    r"""Bring the domains together along the directions in which they differ most.

    Orthonormal directions :math:`W` are found that maximise the sliced Wasserstein
    distance between the domains and their barycenter; along each of them every domain
    is mapped to the barycenter by univariate optimal transport, and nothing else
    changes:

    .. math:: z = x + W (T_{domain}(W^T x) - W^T x)

    Parameters
    ----------
    n_directions : int, default=None
        Number of directions. None takes all, and at most 30.
    n_components : int, default=100
        Directions are looked for among the leading principal axes of all rows. With
        more, they fit what is special of the training rows, and take longer.
    max_iter : int, default=10
        Number of steps of the search for directions, at most.
    n_knots : int or "auto", default="auto"
        Number of groups of rows that a map goes through. "auto" takes twice the cube
        root of the size of the smallest domain, and at most 64.
    domain_weights : str, dict or array-like, default="uniform"
        Share of each domain in the barycenter, as in `MarginalBarycenter`.
    learning_rate : float or "auto", default="auto"
        Share of the way to the barycenter to go, as in `MarginalBarycenter`.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the first directions.

    Attributes
    ----------
    directions_ : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    n_iter_ : int
        Number of steps of the search.
    learning_rate_ : float
        Share of the way to the barycenter that the maps go.
    domains_ : ndarray of shape (n_domains,)
        Labels of the domains.
    domain_weights_ : ndarray of shape (n_domains,)
        Share of each in the barycenter.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    destructors.flows.AlignmentFlow : Many such layers.

    Notes
    -----
    Distances are taken in the units of the data, as those of optimal transport are:
    bring features of different kinds to one scale first.

    References
    ----------
    Zhou, Gong, Ravikumar and Inouye, *Iterative alignment flows*, AISTATS 2022, section
    3. Dai and Seljak, *Sliced iterative normalizing flows*, ICML 2021, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.alignment import SlicedBarycenter
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 5))
    >>> domain = np.repeat([0, 1], 500)
    >>> X[500:, 2] += 4.0
    >>> layer = SlicedBarycenter(1, random_state=0).fit(X, sample_domain=domain)
    >>> bool(abs(layer.directions_[2, 0]) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **_barycenter.MarginalBarycenter._parameter_constraints,
        "n_directions": [Interval(Integral, 1, None, closed="left"), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_directions: int | None = None,
        *,
        n_components: int = 100,
        max_iter: int = 10,
        n_knots: int | Literal["auto"] = "auto",
        domain_weights: str | Mapping | ArrayLike = "uniform",
        learning_rate: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_directions = n_directions
        self.n_components = n_components
        self.max_iter = max_iter
        self.n_knots = n_knots
        self.domain_weights = domain_weights
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit_barycenter(
        self, parts: list[Rows], random_state: np.random.RandomState
    ) -> Callable[[float], Map]:
        parts, unit = _domains.in_one_unit(parts)
        parts, origin = _domains.about_one_origin(parts)
        basis = _domains.principal_basis(parts, self.n_components, random_state)
        within = parts if basis is None else project(parts, basis)
        n_directions = min(self.n_directions or _N_DIRECTIONS, within[0].n_features)
        found, self.n_iter_ = find_directions(
            within, self.domain_weights_, n_directions, self.max_iter, random_state
        )
        along = project(within, found)
        maps = _barycenter.fit_monotone(along, self.domain_weights_, self.n_knots, unit)
        directions = self.directions_ = found if basis is None else basis @ found
        along_them = lambda share: Along(
            directions, Switch(_barycenter.splines(maps, share))
        )
        if origin is None:
            return along_them
        ones = np.ones(len(origin))
        there, back = Affine(unit * origin, ones), Affine(-unit * origin, ones)
        return lambda share: Chain((there, along_them(share), back))


def project(parts: list[Rows], directions: NDArray) -> list[Rows]:
    """Return what the rows are along directions."""
    step = partial(projected, directions)
    return [part.after(step, n_features=directions.shape[1]) for part in parts]


@stays
def projected(directions: NDArray, rows: Rows) -> Rows:
    """Return what rows are along directions."""
    return replace(rows, values=rows.values @ directions)


def find_directions(
    parts: list[Rows],
    domain_weights: NDArray,
    n_directions: int,
    max_iter: int,
    random_state: np.random.RandomState,
) -> tuple[NDArray, int]:
    """Return orthonormal directions along which domains are far from their barycenter.

    Parameters
    ----------
    parts : list of Rows
        The rows of each domain.
    domain_weights : ndarray of shape (n_domains,)
        Share of each in the barycenter.
    n_directions : int
        Number of directions.
    max_iter : int
        Number of steps, at most.
    random_state : RandomState
        Source of the start, uniform among all frames.

    Returns
    -------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    n_iter : int
        Number of steps.
    """
    start = draw_frame(parts[0].n_features, n_directions, random_state)
    distance = lambda directions: _sliced_distance(parts, domain_weights, directions)
    return ascend(distance, start, max_iter)


def _sliced_distance(
    parts: list[Rows], domain_weights: NDArray, directions: NDArray
) -> tuple[float, NDArray]:
    """Return how far quantile functions are from their mean, and the gradient of that.

    The distance is the mean square, summed over directions.
    """
    n_levels = int(np.clip(min(part.total for part in parts), 2, _N_LEVELS))
    dtype: Any = np.float64
    if isinstance(parts[0], PartApart):
        # What travels is halved: the search needs no more digits.
        n_levels, dtype = most_levels(parts, _N_LEVELS), np.float32
    sent = directions.astype(dtype, copy=False)
    quantiles = np.stack([part.ask(levels_along, sent, n_levels) for part in parts])
    quantiles = quantiles.astype(np.float64, copy=False)
    # A domain without a share in the barycenter has to get there all the same.
    shares = np.full(len(quantiles), 1.0 / len(quantiles))
    gaps = quantiles - np.einsum("k,kcm->cm", domain_weights, quantiles)
    value = np.einsum("k,kcm,kcm->", shares, gaps, gaps) / n_levels
    # The barycenter moves with the domains, unless gaps cancel in the mean.
    pull = shares[:, None, None] * gaps
    pull -= domain_weights[:, None, None] * pull.sum(axis=0)
    gradient = np.zeros_like(directions)
    for part, forces in zip(parts, pull, strict=True):
        gradient += part.ask(pulled, sent, forces.astype(dtype, copy=False))
    return float(value), gradient


@may_leave
def levels_along(rows: Rows, directions: NDArray, n_levels: int) -> NDArray:
    """Return means of rows between quantile levels along directions.

    Returns
    -------
    means : ndarray of shape (n_directions, n_levels)
    """
    # A direction is a row here: what is sorted lies side by side.
    along = directions.T @ rows.values.T
    order = np.argsort(along, axis=1)
    # It is asked for again, by `pulled`.
    rows.__dict__["_order_along"] = directions, order
    means = means_between_levels(
        np.take_along_axis(along, order, axis=1),
        None if rows.weight is None else rows.weight[order],
        n_levels,
    )
    return means.astype(directions.dtype, copy=False)


@may_leave
def pulled(rows: Rows, directions: NDArray, forces: NDArray) -> NDArray:
    """Return how forces on the means between quantile levels turn directions.

    Returns
    -------
    gradient : ndarray of shape (n_features, n_directions)
    """
    known, order = rows.__dict__.pop("_order_along", (None, None))
    if known is None or not np.array_equal(known, directions):
        order = np.argsort(directions.T @ rows.values.T, axis=1)
    gradient = _spread(forces, order, rows.weight) @ rows.values
    return gradient.T.astype(directions.dtype, copy=False)


def _spread(forces: NDArray, order: NDArray, weight: NDArray | None) -> NDArray:
    """Return the force on each row: its share of that on the mean of its group."""
    n_levels = forces.shape[1]
    sums = from_zero(forces)
    if weight is None:
        # All directions have the same mass before a row: one place, of whole rows.
        mass = np.arange(order.shape[1] + 1.0)[None]
        take = lambda place: sums[:, place[0]]
    else:
        mass = from_zero(weight[order])
        take = lambda place: np.take_along_axis(sums, place, axis=1)
    place = mass * (n_levels / mass[:, -1:])
    whole = np.minimum(place.astype(np.intp), n_levels - 1)
    left, right = take(whole), take(whole + 1)
    received = np.diff(left + (place - whole) * (right - left), axis=1) / n_levels
    out = np.empty(order.shape)
    np.put_along_axis(out, order, received, axis=1)
    return out
