"""Gaussians of numbers in the classes of a mixture, any of which may be missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.maps._classes import TINY, Emission

_LOG_2PI = np.log(2.0 * np.pi)
# Farther out than this squares overflow.
_LARGEST = 1e150
# Numbers in what is kept of Gaussians given some of their columns.
_MOST_KEPT = 2**24
# Numbers in the arrays of a block of rows.
_BLOCK_SIZE = 2**20
# Rows that miss the same columns, if they are fewer, are taken together with others:
# what all have in common then is worked out for each.
_FEW = 8
# Points of the latent space at which the curve of a column is known.
GRID = np.linspace(-9.0, 9.0, 3601)
# Gauss–Hermite quadrature of a standard normal variable.
_NODES = np.polynomial.hermite_e.hermegauss(11)
_NODES = _NODES[0], _NODES[1] / np.sqrt(2.0 * np.pi)


class Conditional(NamedTuple):
    """Gaussians of some columns, and of the others given these.

    Of rows that each have columns of their own, as many, arrays have one more axis, of
    the rows, after that of the classes.

    Attributes
    ----------
    whiten : ndarray of shape (n_classes, n_known, n_known)
        Inverses of the Cholesky factors of the covariances of what is known.
    shift : ndarray of shape (n_classes, n_known)
        These times the means.
    log_norm : ndarray of shape (n_classes,)
        Log density at the mean.
    gain : ndarray of shape (n_classes, n_missing, n_known)
        How much of what is known, whitened, goes into the mean of what is missing.
    covariance : ndarray of shape (n_classes, n_missing, n_missing)
        Covariance of what is missing.
    """

    whiten: NDArray
    shift: NDArray
    log_norm: NDArray
    gain: NDArray
    covariance: NDArray

    def of(self, classes: NDArray) -> "Conditional":
        """Return those of some classes, by position."""
        return Conditional(*(part[classes] for part in self))

    def standard_values(self, X: NDArray) -> NDArray:
        """Return what is known, whitened, of shape (n_classes, n_samples, n_known)."""
        if self.whiten.ndim == 4:
            return (self.whiten @ X[:, :, None])[..., 0] - self.shift
        return X @ self.whiten.transpose(0, 2, 1) - self.shift[:, None, :]

    def expect(self, u: NDArray) -> NDArray:
        """Return how far means of what is missing are from those of the classes, given
        the `standard_values` of what is known.
        """
        if self.gain.ndim == 4:
            return (self.gain @ u[..., None])[..., 0]
        return u @ self.gain.transpose(0, 2, 1)


@dataclass(frozen=True, eq=False, repr=False)
class Gaussians(Emission):
    """A Gaussian of some columns in each class.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_columns)
        Means.
    covariances : ndarray of shape (n_classes, n_columns, n_columns)
        Covariances, positive definite.
    """

    means: NDArray
    covariances: NDArray

    def is_valid(self) -> bool:
        """Return whether these are means and covariances."""
        k, d = self.means.shape
        if self.covariances.shape != (k, d, d):
            return False
        symmetric = np.allclose(self.covariances, self.covariances.transpose(0, 2, 1))
        np.linalg.cholesky(self.covariances)
        return symmetric

    def given(self, known: NDArray) -> Conditional:
        """Return the Gaussians of the columns that are known, and of others given them.

        Parameters
        ----------
        known : ndarray of bool of shape (n_columns,) or (n_rows, n_columns)
            Of one row, or of several that know as many.
        """
        key = known.shape, known.tobytes()
        if key not in self._conditionals:
            given = self._condition(positions(known), positions(~known))
            n_kept = sum(len(flags) for _, flags in self._conditionals)
            if n_kept // known.shape[-1] * self.covariances.size > _MOST_KEPT:
                return given
            self._conditionals[key] = given
        return self._conditionals[key]

    @cached_property
    def _conditionals(self) -> dict[tuple[Any, bytes], Conditional]:
        """Those that were asked for: a step of EM asks for each twice."""
        return {}

    def _condition(self, here: NDArray, gone: NDArray) -> Conditional:
        across, down = here[..., None, :], here[..., :, None]
        factors = np.linalg.cholesky(self.covariances[:, down, across])
        whiten = np.linalg.solve(factors, np.eye(here.shape[-1]))
        sizes = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
        down = gone[..., :, None]
        gain = self.covariances[:, down, across] @ np.swapaxes(whiten, -1, -2)
        rest = self.covariances[:, down, gone[..., None, :]]
        return Conditional(
            whiten,
            np.einsum("...ij,...j->...i", whiten, self.means[:, here]),
            -0.5 * here.shape[-1] * _LOG_2PI - sizes,
            gain,
            rest - gain @ np.swapaxes(gain, -1, -2),
        )

    def parts(
        self, bundle: tuple[NDArray, NDArray]
    ) -> Iterator[tuple[NDArray, NDArray, Conditional]]:
        """Yield blocks of the rows of a bundle, which columns they have, and the
        Gaussians given these; see `bundles`.
        """
        rows, known = bundle
        if known.ndim == 1:
            given = self.given(known)
            n_rows = max(1, _BLOCK_SIZE // max(1, given.shift.size))
            for start in range(0, len(rows), n_rows):
                yield rows[start : start + n_rows], known, given
            return
        n_rows = max(1, _BLOCK_SIZE // self.covariances.size)
        for start in range(0, len(rows), n_rows):
            block = slice(start, start + n_rows)
            yield rows[block], known[block], self.given(known[block])

    def logpdf(self, x: NDArray, without: NDArray | None = None) -> NDArray:
        """Return log densities of what is there."""
        logs = np.zeros((len(x), len(self.means)))
        x = np.clip(x, -_LARGEST, _LARGEST)
        for bundle in bundles(x):
            if not bundle[1].any():
                continue
            for rows, known, given in self.parts(bundle):
                u = given.standard_values(select(x[rows], known))
                log_norm = given.log_norm.reshape(len(self.means), -1)
                logs[rows] = (log_norm - 0.5 * np.einsum("knj,knj->kn", u, u)).T
        return logs

    def fill(
        self,
        x: NDArray,
        classes: NDArray,
        rng: np.random.RandomState,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return numbers, those missing drawn given those known."""
        x = x.copy()
        noise = rng.standard_normal(x.shape)
        for rows, known in patterns(x):
            if known.all():
                continue
            given, of = self.given(known), classes[rows]
            root = np.linalg.cholesky(given.covariance)
            drawn = self._means(given, x[np.ix_(rows, known)], of, ~known)
            drawn += np.einsum("nij,nj->ni", root[of], noise[np.ix_(rows, ~known)])
            x[np.ix_(rows, ~known)] = drawn
        return x

    def predict(
        self,
        x: NDArray,
        posterior: NDArray,
        strategy: str,
        curves: NDArray,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return numbers, those missing in the units of the curves."""
        x = x.copy()
        predict = _mean if strategy == "mean" else _mode
        for rows, known in patterns(x):
            if known.all():
                continue
            given, seen = self.given(known), x[np.ix_(rows, known)]
            means = np.stack(
                [
                    self._means(given, seen, np.full(len(rows), k), ~known)
                    for k in range(len(self.means))
                ]
            )
            spread = np.sqrt(np.diagonal(given.covariance, axis1=1, axis2=2))
            for i, j in enumerate(np.flatnonzero(~known)):
                x[rows, j] = predict(
                    means[:, :, i].T, spread[:, i], posterior[rows], curves[:, j]
                )
        return x

    def _means(
        self, given: Conditional, seen: NDArray, classes: NDArray, missing: NDArray
    ) -> NDArray:
        """Return the means of what is missing, given what is known and the class."""
        out = np.empty((len(seen), int(missing.sum())))
        for k in np.unique(classes):
            of = np.flatnonzero(classes == k)
            out[of] = self.mean_of(given, seen[of], k, missing)
        return out

    def mean_of(
        self, given: Conditional, seen: NDArray, k: int, missing: NDArray
    ) -> NDArray:
        """Return the means of what is missing in class k, given what is known."""
        u = np.clip(seen, -_LARGEST, _LARGEST) @ given.whiten[k].T - given.shift[k]
        return self.means[k, missing] + u @ given.gain[k].T


def _mean(
    means: NDArray, spread: NDArray, posterior: NDArray, curve: NDArray
) -> NDArray:
    """Return the means of Gaussian mixtures that went through a curve.

    Parameters
    ----------
    means : ndarray of shape (n_samples, n_classes)
    spread : ndarray of shape (n_classes,)
        Standard deviations.
    posterior : ndarray of shape (n_samples, n_classes)
    curve : ndarray of shape (n_points,)
    """
    total = np.zeros(len(means))
    for node, weight in zip(*_NODES, strict=True):
        values = _along(means + spread * node, curve)
        total += weight * np.einsum("nk,nk->n", posterior, values)
    return total


def _mode(
    means: NDArray, spread: NDArray, posterior: NDArray, curve: NDArray
) -> NDArray:
    """Return the most probable of the means of the classes; see `_mean`."""
    slopes = np.gradient(curve, GRID)
    density = np.zeros_like(means)
    for k, share in enumerate(posterior.T):
        u = (means - means[:, k, None]) / spread[k]
        density += (share / spread[k])[:, None] * np.exp(-0.5 * u**2)
    density /= np.maximum(np.interp(means, GRID, slopes), TINY)
    best = np.argmax(density, axis=1)
    return _along(means[np.arange(len(means)), best], curve)


def _along(z: NDArray, curve: NDArray) -> NDArray:
    """Return a curve at some points, straight on beyond its ends."""
    inside = np.clip(z, GRID[0], GRID[-1])
    first, last = curve[1] - curve[0], curve[-1] - curve[-2]
    beyond = (z - inside) / (GRID[1] - GRID[0])
    return np.interp(inside, GRID, curve) + beyond * np.where(z < 0, first, last)


def patterns(X: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield rows that miss the same columns, and which of the columns they have."""
    missing = np.isnan(X)
    if not missing.any():
        yield np.arange(len(X)), np.ones(X.shape[1], dtype=bool)
        return
    kinds, place = np.unique(missing, axis=0, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(place.ravel(), minlength=len(kinds)))
    for kind, start, end in zip(kinds, np.r_[0, ends[:-1]], ends, strict=True):
        yield order[start:end], ~kind


def bundles(X: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield rows that are taken together, and which of the columns they have.

    Those that miss the same columns, as `patterns` does; but where these are few, rows
    that have equally many: with which of the columns each has, of shape (n_rows,
    n_columns). So no loop is over as many patterns as there are rows.
    """
    rare = []
    for rows, known in patterns(X):
        if len(rows) < _FEW and known.any() and not known.all():
            rare.append(rows)
        else:
            yield rows, known
    if not rare:
        return
    rows = np.concatenate(rare)
    known = ~np.isnan(X[rows])
    n_known = known.sum(axis=1)
    for n in np.unique(n_known):
        yield rows[n_known == n], known[n_known == n]


def select(X: NDArray, chosen: NDArray) -> NDArray:
    """Return the chosen columns of rows, of each its own where they are of two
    dimensions: as many of each.
    """
    chosen = np.broadcast_to(chosen, X.shape)
    return X[chosen].reshape(len(X), -1)


def positions(chosen: NDArray) -> NDArray:
    """Return the positions of chosen columns, of each row if there are several, of
    which as many are chosen.
    """
    return np.nonzero(chosen)[-1].reshape(*chosen.shape[:-1], -1)
