"""What takes tables of both kinds, and the invariants that hold there."""

import itertools
import pickle
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.compose import make_column_selector

from destructors import load, save
from destructors.base_distributions import StandardNormal
from destructors.compose import (
    CategoryDequantizer,
    ColumnDestructor,
    make_destructor_pipeline,
)
from destructors.discrete import CategoricalBase
from destructors.estimators import MixtureDensity
from destructors.flows import RBIG, DiscreteTreeFlow, TreeFlow
from destructors.marginal import SplineGaussianizer
from tests.fuzz.attempts import NotAsked, Refused, Violation, attempt
from tests.fuzz.case import Case, centre_and_scale
from tests.fuzz.frames import Frame
from tests.fuzz.invariants import check
from tests.fuzz.refits import require_equal, require_share
from tests.fuzz.tables import Table

__all__ = ["FRAME_INVARIANTS", "MIXED", "FrameCase", "check_any", "make_case"]

_is_category = make_column_selector(dtype_exclude=np.number)
_MOST_ROWS, _MOST_CODES = 60, 3000
_LARGEST = 1e307
_NEGLIGIBLE = 1e-9
_MOST_SHARED = 1e6


def _by_kind(codes: Any, numbers: Any) -> ColumnDestructor:
    return ColumnDestructor([("codes", codes, _is_category)], numbers)


MIXED: Mapping[str, Any] = {
    "tree-flow-both": TreeFlow(n_components=[1, 2], max_trees=5, cv=None),
    "tree-flow-both-cv": TreeFlow(n_components=2, max_trees=5, cv=3),
    "mixture-density-both": MixtureDensity([1, 2]),
    "hidden-tree-both": _by_kind(
        CategoricalBase(structure="hidden-tree"), SplineGaussianizer()
    ),
    "discrete-flow-both": _by_kind(DiscreteTreeFlow(max_iter=3), SplineGaussianizer()),
    "dequantized-both": make_destructor_pipeline(
        CategoryDequantizer(), RBIG(max_iter=3)
    ),
}


class FrameCase:
    """A model fitted to a table of both kinds.

    Parameters
    ----------
    name : str
        One of `MIXED`.
    table : Frame
        What it is fitted to.
    """

    def __init__(self, name: str, table: Frame):
        self.name, self.table, self.n_fits = name, table, 0
        self.fitted = self.fit(table)
        weight = np.ones(len(table.X)) if table.weight is None else table.weight
        self.has_weight = weight > 0
        rows = np.flatnonzero(self.has_weight)
        if len(rows) > _MOST_ROWS:
            rows = np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False)
        self.all_train = table.take(rows).X
        # Latents of missing values are missing: there is no way back.
        self.train = self.all_train
        if name == "mixture-density-both":
            self.train = self.train.dropna()
            if not len(self.train):
                raise Refused("a value is missing in each row")
        kinds = table.X.dtypes
        self.numbers = [c for c in table.X if kinds[c].kind == "f"]
        self.exact = [c for c in table.X if c not in self.numbers]
        values = table.X[self.numbers].to_numpy(float)[weight > 0]
        self.centre, self.scale = centre_and_scale(values)
        weight = weight[self.has_weight]
        self.is_even = weight.min() > _NEGLIGIBLE * weight.max()

    def fit(self, table: Frame) -> Any:
        """Fit the model to a table."""
        self.n_fits += 1
        model = clone(MIXED[self.name])
        for param in model.get_params(deep=True):
            if param == "random_state" or param.endswith("__random_state"):
                model.set_params(**{param: 0})
        return attempt(model.fit, table.X, sample_weight=table.weight)

    @cached_property
    def are_told(self) -> bool:
        """Whether numbers vary by more than a millionth of their largest entry, and no
        two values are closer than 1e-11 standard deviations but equal.
        """
        values = self.table.X[self.numbers].to_numpy(float)
        with np.errstate(over="ignore"):
            spread = self.scale / np.abs(values).max(axis=0, initial=1e-300)
            gaps = np.diff(np.sort(values, axis=0), axis=0)
        near = ((gaps > 0) & (gaps < 1e-11 * self.scale)).any()
        varies = np.ptp(values / 2, axis=0) > 0
        return not (near or (spread[varies] <= 1e-6).any())

    @cached_property
    def far(self) -> pd.DataFrame:
        """Categories of training rows beside numbers 1e5 standard deviations out."""
        far = self.train.copy()
        for column, centre, scale in zip(
            self.numbers, self.centre, self.scale, strict=True
        ):
            way = 1e5 * np.where(np.arange(len(far)) % 2, -1.0, 1.0)
            with np.errstate(over="ignore"):
                far[column] = np.clip(centre + way * scale, -_LARGEST, _LARGEST)
        return far

    @cached_property
    def images(self) -> dict[str, tuple[Any, ...]]:
        """Latents, log-determinants, rows back, their log-determinants, scores."""
        kinds = {"training rows": self.train}
        if self.numbers:
            kinds["far rows"] = self.far
        return {kind: (rows, *self._image(rows)) for kind, rows in kinds.items()}

    def _image(self, rows: pd.DataFrame) -> tuple[Any, ...]:
        try:
            Z, log_det = attempt(self.fitted.transform_and_log_det, rows)
            back, log_det_back = attempt(self.fitted.inverse_and_log_det, Z)
            scores = attempt(self.fitted.score_samples, rows)
        except Refused as refusal:
            raise Violation(
                f"was fitted, but then refuses rows: {refusal}"
            ) from refusal
        return np.asarray(Z, float), log_det, back, log_det_back, scores

    def log_det_of_return(self, kind: str) -> NDArray:
        """Return log-determinants at the rows that come back, instead of at the rows;
        NaN where their latents differ; see `Case.log_det_of_return`.
        """
        _, Z, _, back, *_ = self.images[kind]
        again, log_det = attempt(self.fitted.transform_and_log_det, back)
        size = 16.0 * np.spacing(np.abs(Z).max(axis=1, keepdims=True))
        same = (np.abs(np.asarray(again, float) - Z) <= size).all(axis=1)
        return np.where(same, log_det, np.nan)


def check_finite(case: FrameCase) -> None:
    """Latents, log-determinants, scores and numbers back are finite; what is drawn is a
    frame like the table, of categories that its rows with a weight have or that it
    declares; missing where some of these are.
    """
    for kind, (_, Z, log_det, back, log_det_back, scores) in case.images.items():
        numbers = back[case.numbers].to_numpy(float)
        for values in (Z, log_det, log_det_back, scores, numbers):
            if not np.isfinite(values).all():
                raise Violation(f"what becomes of {kind} is not finite")
    if not np.isfinite(attempt(case.fitted.score_samples, case.all_train)).all():
        raise Violation("scores of rows with missing values are not finite")
    drawn = attempt(case.fitted.sample, 20, random_state=0)
    if not np.isfinite(drawn[case.numbers].to_numpy(float)).all():
        raise Violation("numbers of samples are not finite")
    if list(drawn.columns) != list(case.table.X.columns):
        raise Violation("samples have other columns")
    for column in _is_category(case.table.X):
        seen = case.table.X[column][case.has_weight]
        known = seen.dropna()
        if isinstance(seen.dtype, pd.CategoricalDtype):
            known = seen.dtype.categories
        if not drawn[column].dropna().isin(known).all():
            raise Violation("samples have categories that were not seen")
        if drawn[column].isna().any() and not seen.isna().any():
            raise Violation("samples have missing values, and none was seen")


def check_round_trip(case: FrameCase) -> None:
    """Categories and integers come back exactly, numbers to 1e-6 of the standard
    deviation, the distance from the mean or the latent in such units.

    A code that was made a number of size one shares its digits, once it is turned, with
    the largest of the latent row: beside 1e6 its rounding is 1e-10, beside 1e16 one. It
    is asked up to 1e6 (`_MOST_SHARED`). An integer so turned beside numbers that are
    far comes back as these do: to 1e-6 of that latent, in the unit of its column.

    Log-determinants of both ways agree to 1e-6, relatively above 1 nat; of far rows to
    1e-3, in 99 % of the rows. Where numbers cannot be told apart (`are_told`) and may
    have one latent, they may agree at the row that comes back instead, if its latents
    are the same up to rounding. Neither is asked of numbers where a row has a billionth
    of the largest weight: what rounding leaves of such rows is measured on tables of
    numbers alone.
    """
    for kind, (rows, Z, log_det, back, log_det_back, _) in case.images.items():
        holds, is_turned = np.ones(len(rows), bool), case.name == "dequantized-both"
        if is_turned:
            holds = np.abs(Z).max(axis=1) <= _MOST_SHARED
        for column in case.exact:
            before, after = (table[column].to_numpy()[holds] for table in (rows, back))
            same = (before == after) | (pd.isna(before) & pd.isna(after))
            numbers = case.train[column]
            if is_turned and kind == "far rows" and numbers.dtype.kind in "iu":
                allowed = 1e-6 * np.abs(Z).max(axis=1)[holds] * numbers.std(ddof=0)
                same |= np.abs(after - before) <= allowed
            if not same.all():
                raise Violation(f"categories or integers of {kind} do not come back")
        if case.numbers and case.is_even:
            X = rows[case.numbers].to_numpy(float)
            off = np.abs(back[case.numbers].to_numpy(float) / 2 - X / 2) * 2
            with np.errstate(over="ignore"):
                apart = np.abs(X / 2 - case.centre / 2) / (case.scale / 2)
                size = np.maximum(apart.max(axis=1), np.abs(Z).max(axis=1))
                allowed = 1e-6 * case.scale * np.maximum(size, 1.0)[:, None]
            if not (off <= allowed + 16.0 * np.spacing(np.abs(X))).all():
                raise Violation(f"numbers of {kind} do not come back")
        # Dequantizers are undone one way only.
        if not is_turned and case.is_even:
            off = np.abs(log_det + log_det_back) / np.maximum(np.abs(log_det), 1.0)
            tolerance = 1e-3 if kind == "far rows" else 1e-6
            if (off > tolerance).any() and not case.are_told:
                now = np.abs(case.log_det_of_return(kind) + log_det_back)
                off = np.fmin(off, now / np.maximum(np.abs(log_det), 1.0))
            require_share(off, tolerance, f"log-determinants of {kind} and back")


def check_batches(case: FrameCase) -> None:
    """A row alone, and in another order, has the same score to 1e-8, relatively."""
    for kind, (rows, *_, scores) in case.images.items():
        n = len(rows)
        for some in [np.arange(n)[::-1], *np.arange(n)[:: max(n // 8, 1), None]]:
            now = attempt(case.fitted.score_samples, rows.iloc[some])
            off = np.abs(now - scores[some]) / np.maximum(np.abs(scores[some]), 1.0)
            if not off.max() <= 1e-8:
                raise Violation(f"scores of {kind} hang on the other rows")


def check_copies(case: FrameCase) -> None:
    """Pickled, and saved and loaded, a model gives the same bits."""
    rows, *_, scores = case.images["training rows"]
    copy = attempt(lambda: pickle.loads(pickle.dumps(case.fitted)))
    require_equal(attempt(copy.score_samples, rows), scores, "pickled scores")
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        attempt(save, case.fitted, path)
        density = attempt(load, path)
    require_equal(attempt(density.logpdf, rows), scores, "saved scores")


def check_seed(case: FrameCase) -> None:
    """The same seed gives the same bits; the labels of rows are not looked at."""
    rows, *_, scores = case.images["training rows"]
    X = case.table.X.set_axis(np.arange(len(case.table.X))[::-1], axis=0)
    again = case.fit(case.table._replace(X=X))
    require_equal(attempt(again.score_samples, rows), scores, "scores again")


def check_codes(case: FrameCase) -> None:
    """Probabilities of all codes sum to one, where there are few; those of training
    rows to one at most.
    """
    base = case.fitted.base_distribution_
    sizes = np.asarray(base.n_categories)
    is_code = sizes > 0
    kinds = {dtype.kind for dtype in case.table.X.dtypes}
    if not is_code.any() or kinds & set("iu"):
        raise NotAsked("there are no codes, or integers beside them")
    if case.name == "mixture-density-both" and "f" in kinds:
        raise NotAsked("numbers of the base depend on its codes")
    normal = StandardNormal(1).logpdf(np.zeros((1, 1)))[0] * (~is_code).sum()

    def log_probabilities(codes: NDArray) -> NDArray:
        rows = np.zeros((len(codes), len(sizes)))
        rows[:, is_code] = codes
        if is_code.all():
            rows = rows.astype(np.int64)
        return attempt(base.logpdf, rows) - normal

    Z = case.images["training rows"][1]
    total = np.exp(logsumexp(log_probabilities(np.unique(Z[:, is_code], axis=0))))
    if not total <= 1.0 + 1e-6:
        raise Violation(f"probabilities of codes sum to {total:.6g}")
    if np.prod(sizes[is_code].astype(float)) > _MOST_CODES:
        return
    every = np.array(list(itertools.product(*map(range, sizes[is_code]))))
    total = np.exp(logsumexp(log_probabilities(every)))
    if not abs(total - 1.0) <= 1e-6:
        raise Violation(f"probabilities of all codes sum to {total:.6g}")


def check_unknown(case: FrameCase) -> None:
    """A category that was not seen has a finite score, or is an error that is clear."""
    for column in _is_category(case.table.X):
        rows = case.train.iloc[:5].astype({column: object})
        rows[column] = "never seen"
        try:
            scores = attempt(case.fitted.score_samples, rows)
        except Refused:
            continue
        if not np.isfinite(scores).all():
            raise Violation("scores of unknown categories are not finite")


def check_weights(case: FrameCase) -> None:
    """Integer weights equal repeated rows: scores to 1e-5, relatively, in 99 %.

    Asked where numbers can be told apart (`FrameCase.are_told`).
    """
    if case.name == "dequantized-both":
        raise NotAsked("repeated rows get noise of their own, a weighted one a single")
    if not case.are_told:
        raise NotAsked("rounding would be seen")
    weight = 1.0 * np.random.default_rng(3).integers(0, 4, len(case.table.X))
    rows = np.repeat(np.arange(len(weight)), weight.astype(int))
    if not len(rows):
        raise NotAsked("no row has a weight")
    fits = []
    for table in (
        case.table._replace(weight=weight),
        case.table._replace(weight=None).take(rows),
    ):
        try:
            fits.append(case.fit(table))
        except Refused:
            fits.append(None)
    if None in fits:
        if fits[0] is fits[1]:
            return
        if len(np.unique(rows)) <= 10:
            raise NotAsked("the least number of rows is one of rows, not of weight")
        raise Violation("weighted or repeated rows alone are refused")
    points = case.table.take(np.unique(rows)).X
    weighted, repeated = (attempt(model.score_samples, points) for model in fits)
    off = np.abs(weighted - repeated) / np.maximum(np.abs(repeated), 1.0)
    require_share(off, 1e-5, "scores by weights and by repeats")


FRAME_INVARIANTS: dict[str, Callable[[FrameCase], None]] = {
    "finite": check_finite,
    "round trip": check_round_trip,
    "batches": check_batches,
    "copies": check_copies,
    "codes": check_codes,
    "unknown": check_unknown,
    "seed": check_seed,
    "weights": check_weights,
}


# ---------------------------------------------------------------------- all tables


def make_case(name: str, table: Table | Frame) -> Case | FrameCase:
    """Fit a model to a table, of numbers or of both kinds."""
    if isinstance(table, Frame):
        return FrameCase(name, table)
    return Case(name, table)


def check_any(case: Case | FrameCase, invariant: str) -> None:
    """Check one invariant; see `tests.fuzz.invariants.check`."""
    if isinstance(case, Case):
        return check(case, invariant)
    try:
        FRAME_INVARIANTS[invariant](case)
    except Refused as refusal:
        raise Violation(f"was fitted, but then refuses rows: {refusal}") from refusal
    return None
