"""Weighted expectation-maximisation for Gaussian mixtures.

Most steps look only at the components that have a part in a row, as listed by the last
step that looked at all of them; the longer the fit goes on, the less these change, and
the more seldom are they listed anew. Rows are in standard units, where the squares lose
no digits that matter; the few that lie far out even so are left to the background.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.greedy import Progress
from destructors.mixture._covariance import COVARIANCES, Prior
from destructors.mixture._expectation import (
    Listed,
    Mixture,
    expect,
    expect_all,
    expect_listed,
    features_of,
    pool,
)
from destructors.mixture._split import split
from destructors.mixture._twins import join_twins
from destructors.rows import Rows, StoredRows, is_over, memo

# Those listed are looked at where they are fewer than this share of all components, and
# are listed anew after three times as many steps.
_FEW = 0.15
# The prior is learned in the first steps, then kept: from there on the penalised
# likelihood can only rise.
_N_PRIOR_STEPS = 30
# A fit that is compared with others, or is to go on from there, may end at steps of so
# many times the tolerance: the last of them cost most and decide least. One, two, three
# and ten were tried; that three loses nothing was seen on rows that had been set apart
# for tests, of five tables.
_ROUGH = 3.0
# Rows farther out than this have no part in the components: beside their squares those
# of others lose digits.
_FAR = 1e3
# Held-out rows may lie anywhere: their squares shall be numbers.
_FARTHEST = 1e100
# A component that holds less than this share of a row has died.
_DEAD = 1e-6
# The background: how much wider than the data it is, and its least weight.
_BACKGROUND_WIDTH = 3.0
_BACKGROUND_WEIGHT = 1e-3
# What a fit has found, beside the mixture.
_OUTCOME = ("n_components", "n_iter", "n_steps", "lower_bound", "converged")


@dataclass(eq=False, repr=False)
class EM:
    """Fits mixtures to rows, from one component on or from another mixture.

    Parameters
    ----------
    model : GaussianMixtureDestructor
        Whose parameters say how.
    rows : Rows
        Different rows in standard units and in random order.
    max_iter : int
        Largest number of steps before components are split, or the fit ends.
    progress : Progress, default=None
        To be told of each step.
    wide : ndarray, default=None
        Covariance of the background. By default it is learned from the rows.

    Attributes
    ----------
    type : Full
        What the covariance type is to EM.
    background : bool
        Whether the last component is a wide one that does not move.
    mixture : Mixture
        The parameters.
    lower_bound : float
        Mean log-density of the rows that are not far out, in nats.
    n_iter, n_steps : int
        Number of steps, and of those since components were split.
    n_components : int
        Number of components; some may have died.
    converged : bool
        Whether the last step brought less than ``tol``.
    has_near : bool
        Whether there are rows that are not far out; without any, all count as near.
    folds : list of (ndarray of int, Mixture) tuples
        Of a mean of mixtures: the rows that each of them has not seen, and it.
    """

    model: Any
    rows: Rows
    max_iter: int
    progress: Progress | None = None
    wide: NDArray | None = None
    mixture: Mixture = field(init=False)
    n_components: int = 0
    n_iter: int = 0
    n_steps: int = 0
    lower_bound: float = -np.inf
    converged: bool = False
    folds: list[tuple[NDArray, Mixture]] = field(default_factory=list)
    _prior: Prior | None = None
    _tol: float = 0.0

    def __post_init__(self) -> None:
        self.given, near = self.rows, self.rows.select(_is_near)
        # Where one row has nearly all the weight, others may all be far from it.
        self.has_near = near.total > 0.0
        self.rows = near if self.has_near else self.given
        self._total = self.rows.total
        self._far = self.given.total - self._total
        self.type = COVARIANCES[self.model.covariance_type](self.rows)
        self.background = self.model.background and self.type.is_own
        self._ridge = self.model.reg_covar * self.type.unit
        if self.background and self.wide is None:
            # It reaches the farthest rows, wherever these are, and is wider than any
            # component in columns that are constant as well.
            spread = self.given.sum(self.type.second_moment) / self.given.total
            self.wide = _BACKGROUND_WIDTH**2 * (spread + self._ridge)
            self.wide += self._ridge * spread

    @cached_property
    def _features(self) -> list[NDArray] | None:
        return features_of(self.rows, self.type)

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        n_components: int,
        random_state: np.random.RandomState,
        *,
        before: "EM | None" = None,
        by_chance: bool = False,
        rough: bool = False,
    ) -> "EM":
        """Fit by splitting components of a fit of fewer, again and again.

        Parameters
        ----------
        n_components : int
            Number of components.
        random_state : RandomState
            Draws axes to split along.
        before : EM, default=None
            The fit of fewer; None begins with one component.
        by_chance : bool, default=False
            Whether to draw axes even where covariances tell the longest.
        rough : bool, default=False
            Whether more steps are to follow, so that it need not be the optimum.

        Returns
        -------
        self : EM
        """
        self.n_iter = 0
        if before is None:
            moments = pool(self.rows, self.type)
            self.n_components = 1
            self._tol = self.model.tol
            self._run(_with_background(moments) if self.background else moments)
        else:
            self.mixture, self.n_components = before.mixture, before.n_components
        axes = random_state if by_chance or not self.type.has_axes else None
        while self.n_components < n_components and not (self.n_iter and is_over()):
            n_more = min(n_components / self.n_components, 2.0) - 1.0
            n_now = len(self.mixture.weights) - self.background
            # Some may have died; those that are left have as many more in proportion.
            mixture = split(
                self.mixture, round(n_more * n_now), self.type, self.background, axes
            )
            self.n_components += round(n_more * self.n_components)
            self.fit_from(mixture, rough)
        return self

    def fit_from(self, mixture: Mixture, rough: bool = False) -> "EM":
        """Fit from another mixture."""
        self.mixture = mixture
        self._tol = self.model.tol * (_ROUGH if rough else 1.0)
        return self._run(*self._expect(None))

    def list_under(self, mixture: Mixture) -> list[Listed] | None:
        """Return which components of a mixture have a part in the rows."""
        self.mixture = mixture
        return self._expect(None)[1]

    def refine(self, mixture: Mixture, listed: list[Listed] | None) -> Mixture:
        """Return the mixture after ``max_iter`` steps that look at those listed."""
        self.mixture = mixture
        for step in range(1, self.max_iter + 1):
            self.n_steps = step
            moments, listed = self._expect(listed)
            self.mixture = self.maximise(moments)
            if len(self.mixture.weights) < len(moments):
                listed = None
        return self.mixture

    def _run(self, moments: NDArray, listed: list[Listed] | None = None) -> "EM":
        self._prior = None
        last, self.converged, next_full = -np.inf, False, 2
        for step in range(1, self.max_iter + 1):
            self.n_steps, self.n_iter = step, self.n_iter + 1
            if self.progress is not None:
                self.progress.begin_step()
            n_before = len(moments)
            with np.errstate(divide="ignore", invalid="ignore"):
                self.mixture = self.maximise(moments)
                has_died = len(self.mixture.weights) < n_before
                if has_died or step in (next_full, self.max_iter):
                    listed = None
                is_full = listed is None
                moments, listed = self._expect(listed)
            if not np.isfinite(self.lower_bound):
                raise np.linalg.LinAlgError("a variance is zero")
            stands = abs(self.lower_bound - last) < self._tol
            # What a list leaves out must not end the fit.
            self.converged = is_full and stands
            if is_full:
                next_full = 3 * step
            elif stands:
                next_full = step + 1
            stop = self.progress is not None and self.progress.end_step(
                self.n_iter,
                f"{len(self.mixture.weights) - self.background} components",
                self.lower_bound,
                np.nan,
            )
            if self.converged or stop or is_over():
                break
            last = self.lower_bound
        return self

    def remembered(self, *name: str | int, fit: Callable[["EM"], Any]) -> "EM":
        """Fit, unless a checkpoint knows what comes out.

        Parameters
        ----------
        *name : str or int
            Which fit it is of those to these rows.
        fit : callable
            Fits this object.

        Returns
        -------
        self : EM
        """
        known = memo().recall("em", *name, len(self.given))
        if known is None:
            fit(self)
            found = {what: getattr(self, what) for what in _OUTCOME}
            found["mixture"] = tuple(self.mixture)
            memo().keep(found, "em", *name, len(self.given))
        else:
            self.__dict__.update(known, mixture=Mixture(*known["mixture"]))
        return self

    def score(self, rows: Rows) -> float:
        """Return the mean log-density of other rows under the mixture, in nats."""
        rows = draw_in(rows, _FARTHEST)
        return expect_all(rows, self.type, self.mixture)[1] / rows.total

    # ------------------------------------------------------------------ steps

    def _expect(
        self, listed: list[Listed] | None
    ) -> tuple[NDArray, list[Listed] | None]:
        """Return the moments of the rows under the mixture, and note their likelihood.

        Parameters
        ----------
        listed : list of Listed or None
            Which components to look at; None for all of them.

        Returns
        -------
        moments : ndarray
        listed : list of Listed or None
            Which to look at from now on; None if there are hardly fewer than all.
        """
        moments, total, listed = self.share(self.rows, listed)
        self.lower_bound = total / self._total
        return moments, listed

    def share(
        self, rows: Rows, listed: list[Listed] | None
    ) -> tuple[NDArray, float, list[Listed] | None]:
        """Share out some of the rows under the mixture.

        Parameters
        ----------
        rows : Rows
            All rows, or a part of them.
        listed : list of Listed or None
            Which components to look at; None for all of them.

        Returns
        -------
        moments : ndarray
        total : float
            Sum of the log-densities, in nats.
        listed : list of Listed or None
            Which to look at from now on; None if there are hardly fewer than all.
        """
        if isinstance(rows, StoredRows):
            # Lists would grow with the number of rows.
            return *expect_all(rows, self.type, self.mixture), None
        if listed is not None:
            return *expect_listed(rows, listed, self.type, self.mixture), listed
        known = self._features if rows is self.rows else None
        given = rows, self.type, self.mixture, known
        moments, total, listed = expect(*given)
        n_pairs = sum(block.ends[-1] for block in listed)
        if n_pairs > _FEW * len(moments) * len(rows):
            return moments, total, None
        if any(block.is_counted_only for block in listed):
            *_, listed = expect(*given, lists=True)
        return moments, total, listed

    def maximise(self, moments: NDArray) -> Mixture:
        """Return the mixture of these moments."""
        n_moving = len(moments) - self.background
        alive = moments[:n_moving, 0] > _DEAD * (self._total / len(self.rows))
        if not alive.any():
            # The background has all the rows: one component begins anew with them.
            moments = _with_background(moments.sum(axis=0, keepdims=True))
            n_moving, alive, self._prior = 1, np.ones(1, bool), None
        moments, alive = join_twins(moments, alive)
        moving = moments[:n_moving][alive]
        counts, sums = moving[:, 0], moving[:, 1 : self.rows.n_features + 1]
        means, covariances = sums / counts[:, None], self._estimate(moving, alive)
        if not self.background:
            return Mixture(counts / counts.sum(), means, covariances)
        total, rest = moments[:, 0].sum() + self._far, moments[-1, 0] + self._far
        share = max(rest / total, _BACKGROUND_WEIGHT)
        return Mixture(
            np.append(counts / counts.sum() * (1.0 - share), share),
            np.concatenate([means, np.zeros((1, means.shape[1]))]),
            np.concatenate([covariances, self.wide]),
        )

    def _estimate(self, moments: NDArray, alive: NDArray) -> NDArray:
        """Return the covariances of components."""
        scatter, counts = self.type.scatter(moments), moments[:, 0]
        if not self.type.is_own:
            return scatter / counts.sum() + self._ridge
        prior = self._prior
        if prior is None or self.n_steps <= _N_PRIOR_STEPS:
            known = self.model.degrees_of_freedom_prior
            prior = self.type.learn_prior(scatter, counts, known, self._ridge, prior)
        elif not alive.all():
            prior = prior._replace(size=prior.size[alive])
        self._prior = prior
        return prior.estimate(scatter, counts) + self._ridge


def _with_background(moments: NDArray) -> NDArray:
    """Return moments of components, and of a background that begins with little."""
    # The components share each row out, so that together they have the moments of all.
    everything = moments.sum(axis=0, keepdims=True)
    return np.r_[moments, _BACKGROUND_WEIGHT * everything]


def draw_in(rows: Rows, distance: NDArray | float) -> Rows:
    """Return rows none of which is farther out than this in any feature."""
    smallest, largest = rows.extremes
    if (np.maximum(largest, -smallest) <= distance).all():
        return rows
    return rows.after(partial(_clip, distance=distance))


def _clip(rows: Rows, distance: NDArray | float) -> Rows:
    return replace(rows, values=np.clip(rows.values, -distance, distance))


def _is_near(rows: Rows) -> NDArray:
    """Return which rows may have a part in the components."""
    return (np.abs(rows.values) <= _FAR).all(axis=1)
