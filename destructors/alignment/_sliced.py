"""Features one by one, or a few directions: those in which the domains differ most."""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from destructors._compat import Interval, StrOptions
from destructors.alignment._directions import find_directions, principal_basis, project
from destructors.alignment._layer import BarycenterDestructor
from destructors.alignment._monotone import choose_n_knots, fit_monotone
from destructors.maps import Along, Map, Switch
from destructors.rows import Rows

_N_DIRECTIONS = 30


class MarginalBarycenter(BarycenterDestructor):
    """Bring the domains together in each feature by itself.

    Each feature is mapped by univariate optimal transport to the barycenter of the
    domains: a smooth increasing map through the means of groups of rows, linear beyond.
    What the domains' dependences differ by stays.

    Parameters
    ----------
    n_knots : int or "auto", default="auto"
        Number of groups of rows that a map goes through. "auto" takes twice the cube
        root of the size of the smallest domain, and at most 64.
    domain_weights : str, dict or array-like, default="uniform"
        Share of each domain in the barycenter: the same ("uniform"), as the numbers of
        rows ("proportional"), or all for the targets, whose labels are negative
        ("target"). A dict gives weights by label (a label that is not there has none:
        ``{"b": 1}`` aligns everything to "b"), an array in the order of ``domains_``.
    learning_rate : float or "auto", default="auto"
        Share of the way to the barycenter to go: 0 leaves all rows where they are, 1
        goes all the way. "auto" takes what brings held-out rows closest: those that are
        given, or a fifth.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.

    Attributes
    ----------
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
    SlicedBarycenter : The same along the directions in which the domains differ most.

    References
    ----------
    Zhou, Gong, Ravikumar and Inouye, *Iterative alignment flows*, AISTATS 2022, section
    3 (naive barycenter).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.alignment import MarginalBarycenter
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (500, 1)), rng.normal(4, 1, (500, 1))]
    >>> domain = np.repeat(["a", "b"], 500)
    >>> layer = MarginalBarycenter(random_state=0).fit(X, sample_domain=domain)
    >>> Z = layer.transform(X, sample_domain=domain)
    >>> bool(np.allclose([Z[:500].mean(), Z[500:].mean()], 2, atol=0.1))
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BarycenterDestructor._parameter_constraints,
        "n_knots": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        *,
        n_knots: int | Literal["auto"] = "auto",
        domain_weights: str | Mapping | ArrayLike = "uniform",
        learning_rate: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_knots = n_knots
        self.domain_weights = domain_weights
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit_barycenter(
        self, parts: list[Rows], random_state: np.random.RandomState
    ) -> Callable[[float], Map]:
        n_knots = choose_n_knots(parts) if self.n_knots == "auto" else self.n_knots
        maps = fit_monotone(parts, self.domain_weights_, n_knots)
        return lambda share: Switch(maps.shorten(share).splines())


class SlicedBarycenter(BarycenterDestructor):
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
    Distances are taken in the units of the data: bring features of different kinds to
    one scale first.

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
        **BarycenterDestructor._parameter_constraints,
        "n_directions": [Interval(Integral, 1, None, closed="left"), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_knots": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
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
        basis = principal_basis(parts, self.n_components, random_state)
        within = parts if basis is None else project(parts, basis)
        n_directions = min(self.n_directions or _N_DIRECTIONS, within[0].n_features)
        found, self.n_iter_ = find_directions(
            within, self.domain_weights_, n_directions, self.max_iter, random_state
        )
        n_knots = choose_n_knots(parts) if self.n_knots == "auto" else self.n_knots
        maps = fit_monotone(project(within, found), self.domain_weights_, n_knots)
        directions = found if basis is None else basis @ found
        self.directions_ = directions
        return lambda share: Along(directions, Switch(maps.shorten(share).splines()))
