"""Folds of codes on their way through a stack, and the base that suits them best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._base_counts import BaseCounts, Structure
from destructors.discrete._categorical_base import BaseGrid
from destructors.discrete._counts import Layout
from destructors.discrete._distinct import split_copies
from destructors.maps import Map
from destructors.rows import Fold, Rows

__all__ = ["CodedFold", "split_codes", "unique_codes"]


def unique_codes(rows: Rows) -> Rows:
    """Return different rows of codes, each with the weight of all that equal it."""
    X, weight, _ = rows.unique()
    return Rows.of(X.astype(np.int64), weight, kinds=rows.kinds, n_jobs=rows.n_jobs)


def split_codes(rows: Rows, cv: Any, fraction: float, seed: int) -> list[Fold]:
    """Return folds of different rows of codes, copy by copy.

    Parameters
    ----------
    rows : Rows
        Codes.
    cv : int, cross-validation generator, iterable or None
        None makes one split, an int that many folds.
    fraction : float
        Share of the total weight to hold out, for one split.
    seed : int
        Seed of the split.
    """
    if cv is not None and not isinstance(cv, int | np.integer):
        return [
            Fold(unique_codes(fold.train), unique_codes(fold.validation))
            for fold in rows.split(cv, fraction, seed)
            if fold.validation is not None
        ]
    rows = unique_codes(rows)
    shares = [fraction, 1.0 - fraction] if cv is None else [1.0 / int(cv)] * int(cv)
    parts = split_copies(rows.values, rows.weights, shares, seed)
    held_out = parts[:1] if cv is None else parts
    return [
        Fold(rows.weighted(rows.weights - part), rows.weighted(part))
        for part in held_out
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class CodedFold(Fold):
    """Rows of codes to fit on, and others by which a base is chosen.

    Parameters
    ----------
    train : Rows
    validation : Rows or None
    grid : BaseGrid
        The bases among which they choose.
    layout : Layout
        Of the columns.
    """

    grid: BaseGrid
    layout: Layout

    @cached_property
    def scores(self) -> NDArray | None:
        """Mean log probability of the held-out rows under each base of the grid, fitted
        on the training rows; None without any.
        """
        if self.validation is None:
            return None
        train, held_out = self.train, self.validation
        return self.grid.score(
            train.values, train.weights, held_out.values, held_out.weights, self.layout
        )

    @cached_property
    def choice(self) -> tuple[Structure, float] | None:
        """Structure and smoothing of the base that suits best; None if there is nothing
        to choose by.
        """
        if self.scores is not None:
            return self.grid.best(self.scores)
        return None if self.grid.is_open else self.grid.first

    @cached_property
    def train_score(self) -> float:
        """Mean log probability of the training rows under that base, in nats."""
        if self.choice is None:
            return np.nan
        X, weight = self.train.values, self.train.weights
        structure, alpha = self.choice
        base = BaseCounts.learn(X, weight, self.layout, structure).base(alpha)
        return float(np.average(base.logpdf(X), weights=weight))

    @property
    def validation_score(self) -> float:
        """Mean log probability of the held-out rows under that base; NaN without."""
        return np.nan if self.scores is None else float(self.scores.max())

    def through(self, map_: Map) -> CodedFold:
        """Return both parts after a map."""
        after = Fold(self.train, self.validation).through(map_)
        return CodedFold(
            after.train, after.validation, grid=self.grid, layout=self.layout
        )
