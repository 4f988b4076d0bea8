"""Elliptical densities: rows are whitened, and their lengths made those of N(0, I)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import StandardNormal
from destructors.compose._scatter import log_radii, n_parameters, refine_scatter
from destructors.greedy import set_random_states
from destructors.linear import Whitening
from destructors.maps import Chain, Map, Radial
from destructors.maps._radial import scale_radii
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold, Rows

# Refinements that are tried, and the held-out nats for which one is made: circles gain
# 0.2 by the first and next to nothing by the third.
_MOST_REFINEMENTS, _TOL = 3, 2e-3
# Rows that a parameter of location and scatter is refined by, at least: the costs of
# all are 0.05 nats of each other row then. More than so many rows tell next to nothing.
_N_FOR_EACH, _MOST_FOR_EACH, _ENOUGH = 10, 100, 10_000
# Held-out rows that choose by themselves; of fewer, all take their turn.
_ENOUGH_HELD_OUT, _N_FOLDS, _FRACTION = 1000, 5, 0.1
# Numbers of components that lengths are tried with: they have no more modes than that.
_NUMBERS = [2**i for i in range(7)]
# Location and scatter, better and better, with their scores.
Growth = Iterator[tuple[Map, float]]


class RadialGaussianizer(HoldoutDestructor):
    r"""Map an elliptical density to N(0, I): rows become white, and of normal length.

    Rows are whitened, and their lengths sent through a density of one column and on to
    the lengths of standard normal rows of the same probability; directions stay what
    they are:

    .. math:: z = w \, g(r) / r, \quad w = W (x - \mu), \quad r = |w|

    So any density whose contours are ellipsoids is one of a single column: a
    multivariate Student t, a scale mixture of Gaussians, a ring, or several of one
    center.

    Parameters
    ----------
    radius : Destructor, default=None
        What is fitted to the lengths, one column, in the units of
        `destructors.maps.Radial`, in which those of a Gaussian are N(0, 1). None takes
        the mean of five Gaussian mixtures, the number of components of which held-out
        rows choose: several rings are several modes.
    whitening : Destructor, default=None
        A linear destructor that comes first. None takes `Whitening()`.
    n_refinements : int or "auto", default="auto"
        How often location and scatter are fitted again by maximum likelihood, now that
        it is about known how the density falls with the length: mean and covariance say
        little of where a ring, or a heavy tail, is centred. "auto" takes as many, up to
        3, as gain on held-out rows, and none where there are less than 10 rows for each
        parameter.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-outs and of the destructors inside.

    Attributes
    ----------
    whitening_ : Destructor
        The fitted linear destructor.
    radius_ : Destructor
        The fitted density of lengths.
    location_ : ndarray of shape (n_features,)
        Center of the ellipsoids.
    n_refinements_ : int
        Number of refinements that were made.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    TypeError
        In `fit`, if ``radius`` or ``whitening`` is no destructor.
    ValueError
        In `fit`, if ``radius`` does not end on the standard normal.

    See Also
    --------
    destructors.linear.Whitening : The same for a Gaussian.
    SlicedGaussianizer : Along directions, instead of along the length.

    Notes
    -----
    Closer to the center than any training row the density goes on smoothly, and is flat
    at the center itself.

    References
    ----------
    S. Lyu and E. P. Simoncelli, *Nonlinear extraction of independent components of
    natural images using radial Gaussianization*, Neural Computation 21, 2009. Location
    and scatter by maximum likelihood: R. A. Maronna, *Robust M-estimators of
    multivariate location and scatter*, Annals of Statistics 4, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.compose import RadialGaussianizer
    >>> rng = np.random.default_rng(0)
    >>> angle, r = rng.uniform(0, 2 * np.pi, 1000), rng.normal(5.0, 0.1, 1000)
    >>> X = np.c_[r * np.cos(angle), r * np.sin(angle)]
    >>> model = RadialGaussianizer(random_state=0).fit(X)
    >>> truth = -np.log(0.1 * np.sqrt(2 * np.pi * np.e)) - np.log(2 * np.pi * 5.0)
    >>> bool(abs(model.score(X) - truth) < 0.05)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        # What is none is refused in `fit`, with the reason.
        "radius": "no_validation",
        "whitening": "no_validation",
        "n_refinements": [
            Interval(Integral, 0, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        radius: Destructor | None = None,
        *,
        whitening: Destructor | None = None,
        n_refinements: int | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.radius = radius
        self.whitening = whitening
        self.n_refinements = n_refinements
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        whitening = _part("whitening", self.whitening) or Whitening()
        radius = _part("radius", self.radius)
        seeds = random_state.randint(2**31 - 1, size=3)
        set_random_states(whitening, seeds[1])
        values, weight, _ = fold.train.unique()
        rows = Rows.of(values, weight, names=fold.train.names)
        self.whitening_, white = whitening, _whiten(whitening, rows)
        refined = self._refine(rows, white, fold.validation, int(seeds[2]))
        steps: list[Map] = [whitening.map_]
        if self.n_refinements_:
            white, steps = white.through(refined), [whitening.map_, refined]
        d = rows.n_features
        self.location_ = Chain.of(steps).inverse(np.zeros((1, d)))[0][0]
        radii = log_radii(white.values)
        held_out = fold.validation
        if held_out is not None:
            known, _ = Chain.of(steps).forward(held_out.values)
            held_out = _on_line(log_radii(known), d, held_out.weight)
        line = _on_line(radii, d, weight)
        self.radius_ = radius = radius or _mean_of_mixtures(line)
        set_random_states(radius, seeds[0])
        radius._fit_rows(Fold(line, held_out))
        if not isinstance(radius.base_distribution_, StandardNormal):
            raise ValueError(
                f"radius must end on the standard normal, but {radius!r} ends on "
                f"{radius.base_distribution_!r}."
            )
        return Chain.of([*steps, Radial.of(radius.map_, radii, d)])

    def _refine(self, rows: Rows, white: Rows, held_out: Rows | None, seed: int) -> Map:
        """Return location and scatter of white rows, and note how often refined."""
        whitening, growth = self.whitening_, refine_scatter(_some(white))
        if self.n_refinements != "auto":
            self.n_refinements_ = int(self.n_refinements)
            return _nth(growth, self.n_refinements_)
        self.n_refinements_ = 0
        n_distinct = len(np.unique(rows.hashes(0)))
        if n_distinct < _N_FOR_EACH * n_parameters(rows.n_features):
            return _nth(growth, 0)
        if held_out is not None:
            judges = held_out.through(whitening.map_)
            self.n_refinements_, refined = _choose(
                [refine_scatter(_some(white), judges)]
            )
            return refined
        is_enough = rows.total * _FRACTION >= _ENOUGH_HELD_OUT
        growths = []
        for fold in rows.split(None if is_enough else _N_FOLDS, _FRACTION, seed):
            copy = clone(whitening)
            train = _some(_whiten(copy, fold.train))
            growths.append(refine_scatter(train, fold.validation_through(copy.map_)))
        self.n_refinements_, _ = _choose(growths)
        return _nth(growth, self.n_refinements_)

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        params = {"n_refinements": round(np.mean([m.n_refinements_ for m in fitted]))}
        found = fitted[0].radius_._refit_params([model.radius_ for model in fitted])
        if found:
            params["radius"] = clone(fitted[0].radius_).set_params(**found)
        return params


def _part(name: str, given: Any) -> Destructor | None:
    """Return a copy of what is given, to fit."""
    if given is None:
        return None
    if not isinstance(given, Destructor):
        raise TypeError(f"{name} must be a Destructor or None, got {given!r}.")
    part = clone(given)
    part._validate_params()
    return part


def _mean_of_mixtures(line: Rows) -> Destructor:
    """Return the mixtures of one column that are the default."""
    n_distinct = len(np.unique(line.hashes(0)))
    if n_distinct < _N_FOLDS:
        # Too few to hold any out.
        return GaussianMixtureDestructor(1)
    return GaussianMixtureDestructor(_NUMBERS, n_folds=_N_FOLDS)


def _whiten(whitening: Destructor, rows: Rows) -> Rows:
    """Fit to rows; return what they become."""
    whitening._fit_rows(Fold(rows))
    return rows.through(whitening.map_).unseen()


def _some(rows: Rows) -> Rows:
    """Return as many rows as tell location and scatter: they stand in random order.

    They are rounded to seven digits, and sorted, equal ones by weight. A search
    magnifies the last ones, and the rounding of sums in another order, which other
    units of the data change.
    """
    most = max(_ENOUGH, _MOST_FOR_EACH * n_parameters(rows.n_features))
    some = rows.take(slice(most))
    values = some.values.astype(np.float32).astype(np.float64)
    order = np.lexsort([some.weights, *values.T])
    return replace(some, values=values).take(order)


def _on_line(log_radius: NDArray, n_features: int, weight: NDArray | None) -> Rows:
    """Return radii as rows of one column, to nine decimals: those of rows on a sphere
    differ by rounding alone, which is not to be learned.
    """
    places, _ = scale_radii(log_radius, n_features)
    return Rows.of(np.round(places, 9)[:, None], weight)


def _nth(growth: Growth, n: int) -> Map:
    """Return the map after so many refinements."""
    return next(islice(growth, n, None))[0]


def _choose(growths: Sequence[Growth]) -> tuple[int, Map]:
    """Return the number of refinements that held-out rows of all folds are for, and
    what the first fold has come to by them.
    """
    best, kept = -np.inf, None
    for n in range(_MOST_REFINEMENTS + 1):
        found = [next(growth) for growth in growths]
        score = float(np.mean([score for _, score in found]))
        if kept is not None and not score >= best + _TOL:
            return n - 1, kept
        best, kept = score, found[0][0]
    assert kept is not None
    return _MOST_REFINEMENTS, kept
