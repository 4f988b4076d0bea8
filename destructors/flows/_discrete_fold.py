"""Rows of codes on their way through a stack, and the base that suits them best."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import check_cv

from destructors._splits import merge_repeats
from destructors.discrete._categorical_base import BaseGrid
from destructors.discrete._chow_liu import BaseCounts
from destructors.discrete._counts import Layout
from destructors.discrete._distinct import split_copies

__all__ = ["CodedFold", "CodedRows", "make_folds"]


class CodedRows(NamedTuple):
    """Different rows of codes, and what each weighs."""

    codes: NDArray
    weight: NDArray

    @classmethod
    def of(cls, X: NDArray, weight: NDArray | None) -> CodedRows:
        """Merge equal rows; drop those without weight."""
        rows, total, _ = merge_repeats(X.astype(np.int64), weight)
        return cls(rows, total).reweighted(total)

    def reweighted(self, weight: NDArray) -> CodedRows:
        """Give the rows that have weight under other weights."""
        kept = weight > 0
        return CodedRows(self.codes[kept], weight[kept])

    def through(self, layer: Any) -> CodedRows:
        """Pass through a layer."""
        return CodedRows(layer._forward(self.codes)[0], self.weight)


class CodedFold(NamedTuple):
    """Rows to fit on, rows to judge by, and the judgement.

    Attributes
    ----------
    train : CodedRows
    validation : CodedRows or None
    scores : ndarray of shape (n_structures, n_alphas) or None
        Mean log probability of the held-out rows under each base of the grid, fitted on
        the training rows; None without any.
    structure : str or None
        Structure of the base that suits best; None if there is nothing to choose by.
    train_score : float
        Mean log probability of the training rows under that base.
    """

    train: CodedRows
    validation: CodedRows | None
    scores: NDArray | None
    structure: Any
    train_score: float

    @classmethod
    def judge(
        cls,
        train: CodedRows,
        validation: CodedRows | None,
        grid: BaseGrid,
        layout: Layout,
    ) -> CodedFold:
        """Find the base that suits rows best."""
        if validation is None and grid.is_open:
            return cls(train, None, None, None, np.nan)
        scores, choice = None, grid.first
        if validation is not None:
            scores = grid.score(*train, *validation, layout)
            choice = grid.best(scores)
        structure, alpha = choice
        base = BaseCounts.learn(*train, layout, structure).base(alpha)
        train_score = np.average(base.logpdf(train.codes), weights=train.weight)
        return cls(train, validation, scores, structure, float(train_score))

    @property
    def validation_score(self) -> float:
        """Mean log probability of the held-out rows under that base; NaN without."""
        return np.nan if self.scores is None else float(self.scores.max())

    def through(self, layer: Any, grid: BaseGrid, layout: Layout) -> CodedFold:
        """Pass all rows through a layer, and judge anew."""
        validation = self.validation and self.validation.through(layer)
        return CodedFold.judge(self.train.through(layer), validation, grid, layout)


def make_folds(
    X: NDArray,
    sample_weight: ArrayLike | None,
    cv: Any,
    validation_fraction: float,
    seed: int,
) -> list[tuple[CodedRows, CodedRows]]:
    """Part rows into training and held-out rows, copy by copy.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights; rows of weight zero are in no part.
    cv : int, cross-validation generator, iterable or None
        None makes one split, an int that many folds.
    validation_fraction : float
        Share of the total weight to hold out, for one split.
    seed : int
        Seed of the split.

    Returns
    -------
    folds : list of (CodedRows, CodedRows)
        Training and held-out rows.
    """
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
    if cv is None or isinstance(cv, int | np.integer):
        rows = CodedRows.of(X[weight > 0], weight[weight > 0])
        share = validation_fraction
        shares = [share, 1.0 - share] if cv is None else [1.0 / cv] * int(cv)
        parts = split_copies(*rows, shares, seed)
        held_out = parts[:1] if cv is None else parts
        return [
            (rows.reweighted(rows.weight - p), rows.reweighted(p)) for p in held_out
        ]
    # Indices given from outside number the rows of weight zero too.
    return [
        tuple(CodedRows.of(X[part], weight[part]) for part in split)  # type: ignore[misc]
        for split in check_cv(cv).split(X)
    ]
