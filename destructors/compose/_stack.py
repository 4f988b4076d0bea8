"""Greedy stacks of destructors, grown by likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import check_sample_weight, fit_context
from destructors._splits import make_splits
from destructors.base import Destructor, check_weights, drop_zero_weights
from destructors.base_distributions import StandardNormal
from destructors.compose._greedy import GreedyStackMixin, Trial
from destructors.compose._pipeline import DestructorPipeline

__all__ = ["Fold", "GreedyDestructor", "make_rows"]


class Rows(NamedTuple):
    """Rows on their way through the stack."""

    latent: NDArray
    log_det: NDArray
    weight: NDArray | None

    def score(self) -> float:
        """Mean log density, in nats."""
        base = StandardNormal(self.latent.shape[1])
        log_density = base.logpdf(self.latent) + self.log_det
        return float(np.average(log_density, weights=self.weight))


class Fold(NamedTuple):
    """Rows to fit on, and rows to judge by."""

    train: Rows
    validation: Rows | None


class GreedyDestructor(GreedyStackMixin, Destructor):
    """Base of the stacks of destructors that grow while held-out likelihood grows.

    A subclass gives `_named_candidates`; see `IterativeDestructor` for the parameters
    and attributes.
    """

    _uses_validation = True
    _parameter_constraints: ClassVar[dict] = {
        **GreedyStackMixin._greedy_constraints,
        "cv": ["cv_object"],
    }

    # ------------------------------------------------------------------ fitting

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> GreedyDestructor:
        """Grow the stack on data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, finite.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.
        X_val : array-like of shape (n_val_samples, n_features), default=None
            Held-out data. If given, all of ``X`` is trained on, and
            ``validation_fraction`` and ``cv`` are not used. Without ``early_stopping``
            it chooses among candidates and is reported, but does not end the growth.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the held-out rows.

        Returns
        -------
        self : object
            The fitted stack.

        Raises
        ------
        ValueError
            If an input is not a finite two-dimensional array of numbers with enough
            rows and columns, or a weight is negative, or all are zero, or nothing can
            be held out because all rows are equal.
        TypeError
            If ``X`` is sparse, or a candidate is not a destructor.
        FloatingPointError
            If the first layer gives NaN.
        """
        reset = not (self.warm_start and hasattr(self, "layers_"))
        X = self._check_rows(X, reset=reset)
        if sample_weight is not None:
            sample_weight = check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        held_out = None
        if X_val is not None:
            X_val = self._check_rows(X_val, reset=False)
            held_out = make_rows(*check_weights(X_val, sample_weight_val))
        random_state = check_random_state(self.random_state)
        self._fit_stack(X, sample_weight, random_state, held_out)
        return self

    def _fit(self, X, sample_weight, random_state, validation=None):
        held_out = validation and make_rows(*validation)
        self._fit_stack(X, sample_weight, random_state, held_out)

    def _fit_stack(self, X, sample_weight, random_state, held_out) -> None:
        resume = self.warm_start and hasattr(self, "layers_")
        entropy = self._entropy if resume else random_state.randint(2**31 - 1)
        self.base_distribution_ = self._make_base_distribution()
        self._check_candidates()
        folds, all_rows = self._make_folds(X, sample_weight, held_out, entropy)
        if not resume:
            self._start(folds, entropy)
        elif all_rows is not None:
            depth = len(self._choices)
            folds = [self._refit(fold, depth, settled=False) for fold in folds]
        else:
            [fold] = folds
            validation = fold.validation and self._advance(fold.validation)
            folds = [Fold(self._advance(fold.train), validation)]
        self._grow(folds, all_rows)

    def _make_folds(
        self, X, sample_weight, held_out, entropy
    ) -> tuple[list[Fold], Fold | None]:
        """Give the folds to grow on; with ``cv`` all rows too, to fit on at last."""
        all_rows = Fold(make_rows(*drop_zero_weights(X, sample_weight)), held_out)
        if held_out is not None or not self.early_stopping:
            return [all_rows], None
        cv = self._get_cv(all_rows.train)
        splits = make_splits(X, sample_weight, cv, self.validation_fraction, entropy)
        folds = [
            Fold(_take(X, sample_weight, train), _take(X, sample_weight, test))
            for train, test in splits
        ]
        return folds, None if cv is None else all_rows

    def _get_cv(self, rows: Rows) -> Any:
        """Give the splitter for these training rows, or None for one hold-out."""
        return self.cv

    def _check_candidates(self) -> None:
        for name, candidate in self._named_candidates():
            if not isinstance(candidate, Destructor):
                raise TypeError(
                    f"Candidate {name!r} must be a Destructor, got "
                    f"{type(candidate).__name__}."
                )

    # ------------------------------------------------------------------ engine hooks

    def _try_candidate(self, candidate: Destructor, fold: Fold) -> Trial:
        train = fold.train
        held_out = fold.validation and (fold.validation.latent, fold.validation.weight)
        Z, log_det = candidate._fit_forward_checked(
            train.latent, train.weight, held_out
        )
        base = candidate.base_distribution_
        if not isinstance(base, StandardNormal):
            raise ValueError(
                f"A layer of a stack must end on the standard normal, but "
                f"{type(candidate).__name__} ends on {base!r}. Put it after the stack, "
                "in a DestructorPipeline."
            )
        train = Rows(Z, train.log_det + log_det, train.weight)
        validation = fold.validation and _pass(candidate, fold.validation)
        fold = Fold(train, validation)
        scores = self._fold_scores(fold)
        if np.isnan(scores[0]) or (validation is not None and np.isnan(scores[1])):
            raise FloatingPointError(f"{type(candidate).__name__} gives NaN.")
        return Trial(candidate, fold, *scores)

    def _settled_layers(self, layers: list[Any]) -> dict[str, Any]:
        return layers[0]._settled_params(layers)

    def _settled_params(self, fitted):
        n_iter = np.mean([stack.n_iter_ for stack in fitted])
        return {"max_iter": max(1, round(n_iter)), "early_stopping": False}

    def _fold_scores(self, fold: Fold) -> tuple[float, float]:
        held_out = np.nan if fold.validation is None else fold.validation.score()
        return fold.train.score(), held_out

    def _advance(self, rows: Rows) -> Rows:
        """Pass rows through the layers that are there."""
        for layer in self.layers_:
            rows = _pass(layer, rows)
        return rows

    # ------------------------------------------------------------------ mapping

    def _forward(self, X):
        total = np.zeros(len(X))
        for layer in self.layers_:
            X, log_det = layer._forward(X)
            total += log_det
        return X, total

    def _inverse(self, Z):
        total = np.zeros(len(Z))
        for layer in reversed(self.layers_):
            Z, log_det = layer._inverse(Z)
            total += log_det
        return Z, total

    # ------------------------------------------------------------------ stages

    def staged_transform(self, X: ArrayLike) -> Iterator[NDArray]:
        """Give the latent rows after each layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Yields
        ------
        Z : ndarray of shape (n_samples, n_features)
            Latent rows after 1, 2, … layers.
        """
        for Z, _ in self._stages(X):
            yield Z

    def staged_score_samples(self, X: ArrayLike) -> Iterator[NDArray]:
        """Give the log density of each row after each layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Yields
        ------
        log_density : ndarray of shape (n_samples,)
            Log densities under the first 1, 2, … layers, in nats.
        """
        for Z, log_det in self._stages(X):
            yield self.base_distribution_.logpdf(Z) + log_det

    def _stages(self, X: ArrayLike) -> Iterator[tuple[NDArray, NDArray]]:
        check_is_fitted(self)
        rows = make_rows(self._check_rows(X, reset=False), None)
        for layer in self.layers_:
            rows = _pass(layer, rows)
            yield rows.latent, rows.log_det

    def score_layers(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray:
        """Tell how many nats per row each layer brings on some data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean.

        Returns
        -------
        gains : ndarray of shape (`n_iter_`,)
            Rise of the mean log density by each layer, in nats. Their sum is `score`
            minus the score of the untransformed rows under the standard normal.
        """
        check_is_fitted(self)
        rows = make_rows(
            *check_weights(self._check_rows(X, reset=False), sample_weight)
        )
        scores = [rows.score()]
        for layer in self.layers_:
            rows = _pass(layer, rows)
            scores.append(rows.score())
        return np.diff(scores)

    # ------------------------------------------------------------------ sequence

    def __len__(self) -> int:
        check_is_fitted(self)
        return len(self.layers_)

    def __bool__(self) -> bool:
        # Else an unfitted or empty stack would be false, or an error, in a condition.
        return True

    def __iter__(self) -> Iterator[Destructor]:
        check_is_fitted(self)
        return iter(self.layers_)

    def __getitem__(self, index: int | slice) -> Destructor:
        check_is_fitted(self)
        if not isinstance(index, slice):
            return self.layers_[index]
        named = [(f"layer{i}", layer) for i, layer in enumerate(self.layers_)][index]
        if index.step not in (None, 1) or not named:
            raise ValueError(
                f"{index} of the stack is not a run of at least one layer."
            )
        part = DestructorPipeline(named)._share(named)
        if named[0][0] == "layer0" and hasattr(self, "feature_names_in_"):
            part.feature_names_in_ = self.feature_names_in_
        return part


def make_rows(X: NDArray, weight: NDArray | None) -> Rows:
    return Rows(X, np.zeros(len(X)), weight)


def _take(X: NDArray, weight: NDArray | None, index: NDArray) -> Rows:
    weight = None if weight is None else weight[index]
    return make_rows(X[index], weight)


def _pass(layer: Destructor, rows: Rows) -> Rows:
    Z, log_det = layer._by_rows(layer._forward, rows.latent)
    return Rows(Z, rows.log_det + log_det, rows.weight)
