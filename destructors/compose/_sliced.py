"""Splines along the directions in which rows are farthest from normal."""

from dataclasses import replace
from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.linear import SlicedRotation
from destructors.maps import Along, Map, QuadraticSpline
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold
from destructors.rows._digits import find_lost_column
from destructors.rows._errors import LostDigitsError

# Rows come back up to this share of the spread of a column.
_LOSS = 1e-7


class SlicedGaussianizer(Destructor):
    r"""Gaussianize rows along the directions in which they are farthest from normal.

    Orthonormal directions :math:`W` are found that maximise the sliced Wasserstein
    distance of the rows from N(0, I); along each of them a monotone spline goes a share
    of the way to N(0, 1), and nothing else changes:

    .. math:: z = x + \eta W (T(W^T x) - W^T x)

    Parameters
    ----------
    n_directions : int, default=None
        Number of directions. None takes all features, and at most 8.
    criterion : {"wasserstein", "negentropy"}, default="wasserstein"
        How far from normal a direction is, as in `destructors.linear.SlicedRotation`.
    p : float, default=2
        Power of the Wasserstein distance, from 1 to 4.
    max_iter : int, default=10
        Number of steps of the search for directions, at most.
    max_samples : int or None, default=5000
        Number of different rows that the search looks at. Splines are fitted to all.
    learning_rate : float, default=0.5
        Share :math:`\eta` of the way to go. Directions are found on the rows that
        splines are fitted to, so that these go too far; in a stack smaller steps keep
        few rows from being overfitted, and take more layers.
    n_knots : int or "auto", default="auto"
        Number of knots of each spline, as in `SplineGaussianizer`.
    n_jobs : int, default=None
        Number of threads that fit splines and transform rows side by side. The result
        does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the first directions and of the rows they are found on.

    Attributes
    ----------
    directions_ : ndarray of shape (n_features, n_directions)
        Orthonormal columns, farthest from normal first.
    distances_ : ndarray of shape (n_directions,)
        How far from normal the rows are along each, as ``criterion`` measures it.
    n_iter_ : int
        Number of steps of the search.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    destructors.flows.SlicedGaussianization : Many such layers, after whitening.

    Notes
    -----
    Distances are from N(0, 1): whiten the features first.

    References
    ----------
    B. Dai and U. Seljak, *Sliced iterative normalizing flows*, ICML 2021, sections 3
    and 4 (GIS), with splines by maximum likelihood in place of kernel estimates.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.compose import SlicedGaussianizer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.choice([-1.0, 1.0], size=(2000, 1)) + rng.normal(0, 0.2, (2000, 2))
    >>> layer = SlicedGaussianizer(1, learning_rate=1.0, random_state=0).fit(X)
    >>> np.abs(layer.directions_).round(1).ravel()
    array([0.7, 0.7])
    """

    _parameter_constraints: ClassVar[dict] = {
        **SlicedRotation._parameter_constraints,
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "n_knots": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_directions: int | None = None,
        *,
        criterion: Literal["wasserstein", "negentropy"] = "wasserstein",
        p: float = 2,
        max_iter: int = 10,
        max_samples: int | None = 5000,
        learning_rate: float = 0.5,
        n_knots: int | Literal["auto"] = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_directions = n_directions
        self.criterion = criterion
        self.p = p
        self.max_iter = max_iter
        self.max_samples = max_samples
        self.learning_rate = learning_rate
        self.n_knots = n_knots
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        rows = fold.train
        search = SlicedRotation(
            self.n_directions,
            criterion=self.criterion,
            p=self.p,
            max_iter=self.max_iter,
            max_samples=self.max_samples,
        )
        search._search(rows, random_state)
        self.directions_, self.distances_ = search.directions_, search.distances_
        self.n_iter_ = search.n_iter_
        values = rows.values @ self.directions_
        along = replace(rows.unseen(), values=values, kinds=None, names=None)
        marginal = SplineGaussianizer(n_knots=self.n_knots, n_jobs=self.n_jobs)
        marginal._fit_rows(Fold(along))
        spline = marginal.map_
        assert isinstance(spline, QuadraticSpline)
        share = float(self.learning_rate)
        map_ = Along(self.directions_, spline.towards_identity(share))
        if (lost := find_lost_column(rows, map_, _LOSS)) is not None:
            raise LostDigitsError(
                f"Column {rows.name(lost)} loses its digits beside the others, or "
                "beside N(0, 1), to which they are moved. Standardize the columns "
                "before."
            )
        return map_
