"""A model and a hostile table: what the invariants are asked of."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.base import HoldoutDestructor
from destructors.base_distributions import StandardNormal, Uniform
from destructors.maps import Chain, CubeSteps, Map, Trees
from destructors.maps._cube import CUTOFF
from tests.fuzz.attempts import Refused, Violation, attempt
from tests.fuzz.models import Model, Points
from tests.fuzz.tables import Table, may_be_constant

__all__ = [
    "Case",
    "are_dependent",
    "centre_and_scale",
]

_MOST_ROWS = 60
_FAR = 1e5
_LARGEST = 1e307
_HALF = np.finfo(float).max / 2
# A normal has next to nothing there: 1e-23.
_UNLIKE = 10.0
_NEGLIGIBLE = 1e-9
_IN_CUBE = (CubeSteps, Trees)


def _parts_of(map_: Map) -> list[Map]:
    """Return the maps that a map does one after the other."""
    if not isinstance(map_, Chain):
        return [map_]
    return [part for link in map_ for part in _parts_of(link)] or [map_]


def _unit_in_cube(Y: NDArray) -> NDArray:
    """Return the last place of rows in the unit cube, in latent units."""
    density = np.exp(-0.5 * np.square(np.clip(Y, -CUTOFF, CUTOFF))) / np.sqrt(2 * np.pi)
    return np.where(np.abs(Y) < CUTOFF, 2.0**-53 / density, 0.0)


def centre_and_scale(X: NDArray) -> tuple[NDArray, NDArray]:
    """Return mean and standard deviation of each column without overflow.

    Where a column varies by its last bits only, or by less than 1e-300, its scale is
    1: below 1e-301 the library takes it for constant, and a fold may hold a tenth.
    """
    largest = np.abs(X).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    centre, scale = (X / unit).mean(axis=0) * unit, (X / unit).std(axis=0) * unit
    constant = np.ptp(X / unit, axis=0) <= 10.0 * np.finfo(float).eps
    with np.errstate(over="ignore"):
        constant |= np.ptp(X, axis=0) <= 1e-300
    return centre, np.where(constant, 1.0, scale)


def are_dependent(X: NDArray, centre: NDArray, scale: NDArray) -> bool:
    """Return whether columns are linear in each other, up to a millionth."""
    X = X / scale - centre / scale
    sizes = np.linalg.svd(X, compute_uv=False)
    return bool(sizes[-1] <= 1e-6 * sizes[0]) or len(X) <= X.shape[1]


class Case:
    """A model fitted to a table, with rows to evaluate it at.

    Parameters
    ----------
    name : str
        One of `tests.fuzz.models.MODELS`.
    table : Table
        What it is fitted to.

    Raises
    ------
    Refused
        If the table is refused by an error that is clear.
    Violation
        If the fit fails otherwise, or leaks a warning.
    """

    def __init__(self, name: str, table: Table):
        self.name, self.table = name, table
        self.n_fits = 0
        self.model = self.fit(table)
        weight = np.ones(len(table.X)) if table.weight is None else table.weight
        kept = table.take(np.flatnonzero(weight > 0))
        self.centre, self.scale = centre_and_scale(kept.X)
        self.rng = np.random.default_rng(0)
        some = slice(None)
        if len(kept.X) > _MOST_ROWS:
            some = self.rng.choice(len(kept.X), _MOST_ROWS, replace=False)
        self.train = Points(kept.X[some], kept.domain[some])
        weight = weight[weight > 0]
        # Beside the heaviest they are no rows.
        self._has_weight = (weight > _NEGLIGIBLE * weight.max())[some]

    def fit(self, table: Table, n_jobs: int | None = None) -> Model:
        """Fit the model to a table."""
        self.n_fits += 1
        return attempt(Model, self.name, table, n_jobs)

    # ------------------------------------------------------------------ where

    @cached_property
    def is_continuous(self) -> bool:
        """Whether rows near the training rows are rows as well."""
        return not (self.model.is_discrete or self.model.is_dequantizer)

    @cached_property
    def is_dependent(self) -> bool:
        """Whether columns are linear in each other, up to a millionth."""
        return are_dependent(self.train.X, self.centre, self.scale)

    @cached_property
    def may_be_constant(self) -> bool:
        """Whether a column is constant, or may be in what a model trains on."""
        holds_out = isinstance(self.model.fitted, HoldoutDestructor)
        return may_be_constant(self.table, holds_out)

    @cached_property
    def near(self) -> Points:
        """Rows a tenth of a standard deviation from training rows."""
        if not self.is_continuous:
            return self.train
        X = self.train.X
        X = X + 0.1 * self.scale * np.random.default_rng(1).normal(size=X.shape)
        return self.inside(X, self.train.domain)

    @cached_property
    def far(self) -> Points:
        """Rows 1e5 standard deviations out, along axes and random directions."""
        if not self.is_continuous:
            return self.train
        d = self.train.X.shape[1]
        random = np.random.default_rng(2).normal(size=(4, d))
        directions = np.vstack([np.eye(d), -np.eye(d), random])
        far = (_FAR * directions) * np.minimum(self.scale, _LARGEST / _FAR)
        with np.errstate(over="ignore"):
            far = self.centre + far
        return self.inside(far, np.arange(len(far)) % 2)

    def inside(self, X: NDArray, domain: NDArray) -> Points:
        """Return the rows that lie in the support of the map."""
        # But for constant columns: they have no scale that would reach so far.
        own = np.abs(self.train.X).max(axis=0)
        reach = np.where(np.ptp(self.train.X / 2, axis=0) > 0, _LARGEST, own)
        X = np.clip(X, -np.maximum(reach, _LARGEST), np.maximum(reach, _LARGEST))
        inside = self.in_support(X)
        return Points(X[inside], domain[inside])

    def in_support(self, X: NDArray) -> NDArray:
        """Return which rows lie in the support of the map."""
        support = self.model.fitted.map_.support
        if support is None:
            return np.ones(len(X), bool)
        return ((support[0] <= X) & (support[1] >= X)).all(axis=1)

    @cached_property
    def kinds(self) -> dict[str, Points]:
        """Rows by name."""
        if not self.is_continuous:
            return {"training rows": self.train}
        train = self.inside(self.train.X, self.train.domain)
        kinds = {"training rows": train, "near rows": self.near, "far rows": self.far}
        return {name: points for name, points in kinds.items() if len(points)}

    # ------------------------------------------------------------------ what comes out

    @cached_property
    def images(self) -> dict[str, tuple[NDArray, ...]]:
        """Latents, log-determinants, rows back, their log-determinants, scores."""
        return {name: self._image(points) for name, points in self.kinds.items()}

    def _image(self, points: Points) -> tuple[NDArray, ...]:
        try:
            Z, log_det = attempt(self.model.forward, points)
            back, log_det_back = attempt(self.model.inverse, Points(Z, points.domain))
            return Z, log_det, back, log_det_back, attempt(self.model.score, points)
        except Refused as refusal:
            raise Violation(
                f"was fitted, but then refuses rows: {refusal}"
            ) from refusal

    def is_unlike_training(self, kind: str) -> NDArray:
        """Return which rows no row is like that the model was fitted to.

        Those moved off the training rows, training rows of a billionth of the largest
        weight, and those that the model puts at ten standard deviations.
        """
        Z = self.images[kind][0]
        if kind != "training rows":
            return np.ones(len(Z), bool)
        unlike = ~self._has_weight[self.in_support(self.train.X)]
        if type(self.model.base) is StandardNormal:
            unlike |= np.abs(np.asarray(Z, dtype=float)).max(axis=1) > _UNLIKE
        return unlike

    def loses_digits(self, kind: str) -> NDArray:
        """Return which rows may not have all their digits in the latent.

        Those unlike training rows; all of a table with columns that depend on each
        other, where what enlarges the little by which they differ enlarges rounding.
        """
        return self.is_unlike_training(kind) | self.is_dependent

    def resolution(self, kind: str) -> tuple[NDArray, NDArray]:
        """Return how far rows, and log-determinants, move where float64 moves latents.

        By 16 units in the last place, in eight directions; those of the model, and what
        each map of a chain takes. The units are those of the largest entry of a row,
        but between maps of columns, which are rounded one by one, and those of the unit
        cube where a map goes by way of it: what a row differs by from another with the
        same latents, up to rounding, no inverse can tell. A row is moved as well by
        what it is off after one of the maps and back, up to the last place of the
        largest training row there: a wide piece of a map has the digits of its ends.
        """
        points, (Z, _, back, *_) = self.kinds[kind], self.images[kind]
        parts, context, known = _parts_of(self.model.fitted.map_), None, None
        if self.model.is_aligner:
            context, known = points.domain, self.train.domain
        moved_X, moved_log_det = np.zeros(back.shape), np.zeros(len(Z))
        for k in range(len(parts) + 1):
            below, above = Chain(tuple(parts[:k])), Chain(tuple(parts[k:]))
            Y = Z if k == len(parts) else attempt(below.forward, points.X, context)[0]
            size = np.abs(np.asarray(Y, dtype=float))
            if k == len(parts) or not all(p.feature_wise for p in parts[: k + 1][-2:]):
                size = size.max(axis=1, keepdims=True)
            unit = np.spacing(size)
            if any(isinstance(p, _IN_CUBE) for p in parts[max(k - 1, 0) : k + 1]):
                unit = np.maximum(unit, _unit_in_cube(Y))
            unit = 16.0 * unit
            if k < len(parts):
                there = attempt(parts[k].forward, Y, context)[0]
                off = np.abs(attempt(parts[k].inverse, there, context)[0] / 2 - Y / 2)
                farthest = np.abs(attempt(below.forward, self.train.X, known)[0])
                own = np.spacing(farthest.max(axis=0, initial=0.0))
                unit = np.maximum(unit, np.minimum(off * 2, own))
            X, log_det = self._both_ways(below, above, Y, context)
            random = np.random.default_rng(5)
            for _ in range(8):
                aside = unit * random.uniform(-1.0, 1.0, Y.shape)
                other = np.clip(Y / 2 + aside / 2, -_HALF, _HALF) * 2
                if type(self.model.base) is Uniform and k == len(parts):
                    other = np.clip(other, 0.0, 1.0)
                X_now, now = self._both_ways(below, above, other, context)
                with np.errstate(over="ignore"):
                    moved_X = np.maximum(moved_X, np.abs(X_now / 2 - X / 2) * 2)
                moved_log_det = np.maximum(moved_log_det, np.abs(now - log_det))
        return moved_X, moved_log_det

    def last_place_of_log_dets(self, kind: str) -> NDArray:
        """Return how far log-determinants move where one entry of a row, or of its
        latent, moves by its last place: summed over the entries, the worse of both.
        """
        points, (Z, log_det, _, log_det_back, _) = self.kinds[kind], self.images[kind]
        ways = (
            (self.model.forward, points.X, log_det),
            (self.model.inverse, Z, log_det_back),
        )
        moved = np.zeros((len(ways), len(Z)))
        for total, (way, rows, before) in zip(moved, ways, strict=True):
            for j in range(rows.shape[1]):
                most = np.zeros(len(rows))
                for end in (-_LARGEST, _LARGEST):
                    beside = np.array(rows, dtype=float)
                    beside[:, j] = np.nextafter(beside[:, j], end)
                    inside = np.ones(len(rows), bool)
                    if way == self.model.forward:
                        inside = self.in_support(beside)
                    elif type(self.model.base) is Uniform:
                        beside = np.clip(beside, 0.0, 1.0)
                    some = Points(beside[inside], points.domain[inside])
                    now = attempt(way, some)[1]
                    off = np.abs(now - before[inside])
                    most[inside] = np.maximum(most[inside], off)
                total += most
        return moved.max(axis=0)

    def _both_ways(
        self, below: Map, above: Map, Y: NDArray, context: NDArray | None
    ) -> tuple[NDArray, NDArray]:
        """Return rows of what a chain hands on, and log-determinants there."""
        X, log_det = attempt(below.inverse, Y, context)
        return X, attempt(above.forward, Y, context)[1] - log_det

    def log_det_of_return(self, kind: str) -> NDArray:
        """Return log-determinants at the rows that come back, instead of at the rows.

        NaN where their latents differ by more than 16 units in the last place of the
        largest entry: to others both are one row, as far as float64 can hold it.
        """
        points, (Z, _, back, *_) = self.kinds[kind], self.images[kind]
        again, log_det = attempt(self.model.forward, Points(back, points.domain))
        size = 16.0 * np.spacing(np.abs(Z).max(axis=1, keepdims=True))
        same = (np.abs(again / 2 - Z / 2) <= size / 2).all(axis=1)
        return np.where(same, log_det, np.nan)

    def has_digits(self, Z: NDArray, margin: float = 1e-6) -> NDArray:
        """Return which latent rows float64 resolves: not those at faces of the cube."""
        if type(self.model.base) is not Uniform:
            return np.ones(len(Z), bool)
        return (np.minimum(Z, 1.0 - Z) > margin).all(axis=1)
