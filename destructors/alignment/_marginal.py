"""All features, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from destructors._compat import Interval, StrOptions
from destructors.alignment._layer import BarycenterDestructor
from destructors.alignment._monotone import choose_n_knots, fit_monotone
from destructors.maps import Map, Switch
from destructors.rows import Rows

__all__ = ["MarginalBarycenter"]


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
