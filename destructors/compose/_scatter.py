"""Location and scatter of an elliptical density, by maximum likelihood."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from destructors.maps import Affine
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, Rows, weighted_mean

# Steps of the search between two estimates of the profile: it moves little, later.
_N_STEPS = 30
# No step goes farther, in units of the rows: the likelihood of few has no bound.
_FARTHEST = 1.0
# Radii are no smaller than this share of the median one.
_LEAST_SHARE = 1e-6


def log_radii(values: NDArray, least: float = 0.0) -> NDArray:
    """Return the log of the length of each row.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
    least : float, default=0.0
        Shorter rows are taken to be as long as that; by default as a millionth of the
        median.

    Returns
    -------
    log_radius : ndarray of shape (n_samples,)
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
    if not least:
        positive = lengths[lengths > 0.0]
        least = _LEAST_SHARE * np.median(positive) if len(positive) else 1.0
    return np.log(np.maximum(lengths, least))


@dataclass(frozen=True, eq=False)
class Profile:
    """How an elliptical density falls with the radius: a spline of its logarithm.

    Attributes
    ----------
    knots, values, slopes : ndarray of shape (n_knots,)
        The spline that takes logs of radii to N(0, 1).
    n_features : int
        Dimension of the rows.
    """

    knots: NDArray
    values: NDArray
    slopes: NDArray
    n_features: int

    @classmethod
    def of(cls, rows: Rows, n_knots: int | Literal["auto"] = "auto") -> "Profile":
        """Return the profile of rows around the origin; of two knots a lognormal."""
        log_radius = log_radii(rows.values)
        spline = SplineGaussianizer(n_knots=n_knots)
        spline._fit_rows(Fold(Rows.of(log_radius[:, None], rows.weight)))
        lines = (spline.knots_[0], spline.values_[0], spline.slopes_[0])
        return cls(*lines, rows.n_features)

    def log_density(self, log_radius: NDArray) -> tuple[NDArray, NDArray]:
        """Return the log density at each radius, up to a constant, in nats, and its
        derivative with respect to the log of the radius.

        Within the innermost knot it is constant.
        """
        knots, slopes = self.knots, self.slopes
        inside = np.clip(log_radius, knots[0], knots[-1])
        k = np.clip(np.searchsorted(knots, inside) - 1, 0, len(knots) - 2)
        bend = (np.diff(slopes) / np.diff(knots))[k]
        slope = slopes[k] + bend * (inside - knots[k])
        beyond = np.maximum(log_radius - knots[-1], 0.0)
        score = self.values[k] + 0.5 * (inside - knots[k]) * (slope + slopes[k])
        score = score + beyond * slope
        bend = np.where(beyond > 0.0, 0.0, bend)
        density = np.log(slope) - 0.5 * score**2 - self.n_features * (inside + beyond)
        rate = bend / slope - score * slope - self.n_features
        return density, np.where(log_radius <= knots[0], 0.0, rate)


def refine_scatter(
    rows: Rows, held_out: Rows | None = None
) -> Iterator[tuple[Affine, float]]:
    """Yield location and scatter of rows, better and better ones.

    Each step estimates the profile, and then maximises the likelihood of the location
    and of a triangular matrix under it.

    Parameters
    ----------
    rows : Rows
        Rows without correlation, of mean zero and unit variances, about.
    held_out : Rows, default=None
        Rows to score by.

    Yields
    ------
    map : Affine
        To rows that are spherical about the origin; the identity to begin with.
    score : float
        Mean log density of the held-out rows, up to a constant, in nats; NaN without
        any.
    """
    d, score, is_first = rows.n_features, np.nan, True
    step = Affine(np.zeros(d), np.ones(d), np.eye(d), np.eye(d))
    while True:
        profile = Profile.of(rows.through(step))
        if held_out is not None:
            values, log_det = step.forward(held_out.values)
            log_density = profile.log_density(log_radii(values))[0] + log_det
            score = weighted_mean(log_density, held_out.weight)
        yield step, score
        if is_first:
            # Around a point beside its center a thin ring is a wide one with two edges,
            # and no small step narrows it. What lengths of normal logarithm ask for is
            # to be about as long, and that leads to the center.
            step = _climb(rows, Profile.of(rows, n_knots=2), step)
            profile, is_first = Profile.of(rows.through(step)), False
        step = _climb(rows, profile, step)


def _climb(rows: Rows, profile: Profile, start: Affine) -> Affine:
    """Return location and triangular matrix that are more likely under a profile."""
    X, d = rows.values, rows.n_features
    share = rows.weights / rows.total
    # Within the innermost knot the density is constant.
    innermost = float(np.exp(profile.knots[0]))
    lower = np.tril_indices(d, -1)

    def read(parameters: NDArray) -> tuple[NDArray, NDArray]:
        matrix = np.diag(np.exp(parameters[d : 2 * d]))
        matrix[lower] = parameters[2 * d :]
        return parameters[:d], matrix

    def loss(parameters: NDArray) -> tuple[float, NDArray]:
        location, matrix = read(parameters)
        centred = X - location
        Z = centred @ matrix.T
        log_radius = log_radii(Z, innermost)
        density, rate = profile.log_density(log_radius)
        pull = Z * (share * rate * np.exp(-2.0 * log_radius))[:, None]
        outer = pull.T @ centred
        diagonal = np.diag(outer) * np.diag(matrix) + 1.0
        gradient = np.concatenate([-pull.sum(axis=0) @ matrix, diagonal, outer[lower]])
        value = share @ density + parameters[d : 2 * d].sum()
        return -float(value), -gradient

    assert start.matrix is not None
    diagonal = np.log(np.diag(start.matrix))
    first = np.concatenate([start.location, diagonal, start.matrix[lower]])
    found = minimize(
        loss,
        first,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([first - _FARTHEST, first + _FARTHEST]),
        options={"maxiter": _N_STEPS},
    )
    location, matrix = read(found.x)
    inverse = solve_triangular(matrix, np.eye(d), lower=True)
    log_det = float(found.x[d : 2 * d].sum())
    return Affine(location, np.ones(d), matrix, inverse, log_det)


def n_parameters(n_features: int) -> int:
    """Return the number of parameters of location and scatter."""
    return n_features * (n_features + 3) // 2
