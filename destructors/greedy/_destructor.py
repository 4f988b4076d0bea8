"""Greedy stacks of destructors, grown by likelihood."""

import copy
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors._compat import Interval
from destructors.base import Destructor, HoldoutDestructor
from destructors.greedy._ahead import LookAhead
from destructors.greedy._engine import Greedy
from destructors.greedy._first_layers import ScoredByFirstLayers
from destructors.greedy._progress import Progress
from destructors.greedy._schedules import Schedule
from destructors.greedy._stack_task import StackTask
from destructors.greedy._stopping import Never, Stopping
from destructors.greedy._task import Step
from destructors.maps import Chain, Map
from destructors.rows import Fold, Rows, make_folds


class GreedyDestructor(ScoredByFirstLayers, HoldoutDestructor):
    """Base of the stacks of destructors that grow while held-out rows gain.

    A subclass gives `_named_candidates` and `_schedule`; see `IterativeDestructor` for
    the parameters and attributes.
    """

    _parameter_constraints: ClassVar[dict] = {
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    # Number of layers that are kept in any case. Without any a stack is the standard
    # normal in the units of the data; a flow that should not hang on these keeps one.
    _least: ClassVar[int] = 0
    # Those that have no such parameter make each fit from scratch.
    warm_start: bool = False
    # Those that have none judge candidates by themselves.
    look_ahead: int = 0
    n_beams: int = 2
    max_iter: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    cv: Any
    n_jobs: int | None
    verbose: int

    layers_: list[Any]
    layer_names_: list[str]
    # Seed, scores and choices: what a warm start goes on from.
    _history: dict[str, Any]

    # ------------------------------------------------------------------ hooks

    @abstractmethod
    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        """Return the (name, destructor) candidates."""

    @abstractmethod
    def _schedule(self, names: list[str]) -> Schedule:
        """Return which of them are tried as the next layer."""

    def _stopping(self) -> Stopping:
        """Return when to end."""
        if not self.early_stopping:
            return Never()
        return Stopping(self.n_iter_no_change, self.tol, least=self._least)

    def _max_layers(self) -> int:
        return self.max_iter

    def _make_task(
        self, candidates: list[tuple[str, Destructor]], seed: int, train: Rows
    ) -> StackTask:
        """Return how candidates are fitted and judged."""
        return StackTask(candidates, seed, self._max_layers())

    def _as_seen(self, fold: Fold) -> Fold:
        """Return the rows as the layers are to see them."""
        # Scores are those of this stack, whatever comes before it.
        return fold.each(lambda rows: rows.unseen())

    def _get_cv(self, rows: Rows) -> Any:
        """Return the splitter for these training rows, or None for one hold-out."""
        return self.cv

    def _complete(self, fold: Fold) -> None:
        """Learn what there is beside the layers, once they are fitted."""

    # ------------------------------------------------------------------ fitting

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        resume = self.warm_start and hasattr(self, "_history")
        if resume:
            seed = self._history["seed"]
        else:
            assert random_state is not None
            seed = int(random_state.randint(2**31 - 1))
        fold = self._as_seen(fold)
        folds, all_rows = self._make_folds(fold, seed)
        candidates = self._named_candidates()
        names = [name for name, _ in candidates]
        task = self._make_task(candidates, seed, fold.train)
        progress = Progress(
            self,
            self.verbose,
            snapshot=None if all_rows else lambda: self._as_if_ended(engine, seed),
        )
        engine = Greedy(
            task,
            names,
            schedule=self._schedule(names),
            stopping=self._stopping(),
            max_iter=self._max_layers(),
            progress=progress,
            n_jobs=self.n_jobs,
            ahead=LookAhead(self.look_ahead, self.n_beams),
        )
        if resume:
            self._resume(engine)
            if all_rows is None:
                # As they went when these were fitted: a chain may take several layers
                # at once, with other last bits.
                for layer in self.layers_:
                    folds = [fold.through(layer.map_) for fold in folds]
            else:
                folds = [engine.refit(fold, as_chosen=False)[1] for fold in folds]
        progress.final = lambda: self._as_if_ended(engine, seed, layers)
        layers: list[Any] = []
        with progress.running(self._max_layers() + (all_rows is not None)):
            engine.grow(folds)
            engine.cut()
            layers = [step.layer for step in engine.steps]
            if all_rows is not None:
                layers, _ = engine.refit(all_rows)
            self.__dict__.update(self._attributes(engine, seed, layers))
        self._complete(fold)
        return self._chain(layers)

    def _make_folds(self, fold: Fold, seed: int) -> tuple[list[Fold], Fold | None]:
        """Return the folds to grow on; with several all rows too, to fit on at last."""
        if fold.validation is not None or not self.early_stopping:
            return [fold], None
        cv, fraction = self._get_cv(fold.train), self.validation_fraction
        folds, refits = make_folds(fold.train, cv, fraction, seed)
        return folds, fold if refits else None

    def _chain(self, layers: list[Any]) -> Map:
        return Chain(tuple(layer.map_ for layer in layers))

    # ------------------------------------------------------------------ state

    def _attributes(
        self, engine: Greedy, seed: int, layers: list[Any]
    ) -> dict[str, Any]:
        """Return the fitted attributes that follow from the history."""
        held_out = np.array(engine.validation_scores)
        return {
            "layers_": layers,
            **self._sizes(layers),
            "layer_names_": [engine.names[step.choice] for step in engine.steps],
            "n_iter_": len(layers),
            "train_score_": np.array(engine.train_scores),
            "validation_score_": held_out[~np.isnan(held_out)],
            "_history": {
                "seed": seed,
                "start": engine.start,
                # The layers themselves are in layers_.
                "steps": [vars(replace(step, layer=None)) for step in engine.steps],
            },
        }

    def _as_if_ended(
        self, engine: Greedy, seed: int, layers: list[Any] | None = None
    ) -> dict[str, Any]:
        """Return what a copy needs to work as if fitting had ended now."""
        if not layers:
            layers = [step.layer for step in engine.steps]
        return {
            **self._attributes(engine, seed, layers),
            "map_": self._chain(layers),
            "base_distribution_": self.base_distribution_,
        }

    def _cut(self, start: int, stop: int) -> Self:
        """Return a copy that has some of the layers only."""
        part = copy.copy(self)
        part.layers_ = self.layers_[start:stop]
        part.layer_names_ = self.layer_names_[start:stop]
        part.n_iter_ = len(part.layers_)
        part.train_score_ = self.train_score_[start : stop + 1]
        part.validation_score_ = self.validation_score_[start : stop + 1]
        part.map_ = self._chain(part.layers_)
        part._history = {**self._history, "steps": self._history["steps"][:stop]}
        if start:
            # Its rows are not those of the table, and no fit could have given it.
            del part._history
            part._schema = None
            part.__dict__.pop("feature_names_in_", None)
        for name in self._sizes(self.layers_):
            delattr(part, name)
        part.__dict__.update(self._sizes(part.layers_))
        return part

    def _sizes(self, layers: list[Any]) -> dict[str, Any]:
        """Return further fitted attributes that follow from the layers."""
        return {}

    def _resume(self, engine: Greedy) -> None:
        """Bring an engine to where the last fit ended."""
        choices = [step["choice"] for step in self._history["steps"]]
        if self.layer_names_ != [dict(enumerate(engine.names)).get(c) for c in choices]:
            raise ValueError(
                "The candidates are no longer those of the layers that are there: set "
                "warm_start=False to begin anew."
            )
        engine.start = self._history["start"]
        engine.steps = [
            Step(**{**step, "layer": layer})
            for step, layer in zip(self._history["steps"], self.layers_, strict=True)
        ]

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        n_iter = np.mean([stack.n_iter_ for stack in fitted])
        return {"max_iter": max(1, round(n_iter)), "early_stopping": False}

    # ------------------------------------------------------------------ stages

    def _first(self, n_layers: int) -> Destructor:
        return self[:n_layers]

    def staged_transform(self, X: ArrayLike) -> Iterator[NDArray]:
        """Yield the latent rows after each layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Yields
        ------
        Z : ndarray of shape (n_samples, n_features)
            Latent rows after 1, 2, … layers.
        """
        for rows in self._stages(X):
            yield rows.values

    def staged_score_samples(self, X: ArrayLike) -> Iterator[NDArray]:
        """Yield the log density of each row after each layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Yields
        ------
        log_density : ndarray of shape (n_samples,)
            Log densities under the first 1, 2, … layers, in nats.
        """
        for rows in self._stages(X):
            yield self.base_distribution_.logpdf(rows.values) + rows.log_det

    def _stages(self, X: Any) -> Iterator[Rows]:
        check_is_fitted(self)
        rows = self._read(X)
        for layer in self.layers_:
            rows = rows.through(layer.map_)
            yield rows

    def score_layers(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray:
        """Return how many nats per row each layer brings on some data.

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
        rows = self._read(X, sample_weight)
        scores = [rows.score(self.base_distribution_)]
        for layer in self.layers_:
            rows = rows.through(layer.map_)
            scores.append(rows.score(self.base_distribution_))
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

    def __getitem__(self, index: int | slice) -> Any:
        check_is_fitted(self)
        if not isinstance(index, slice):
            return self.layers_[index]
        start, stop, step = index.indices(len(self.layers_))
        if step != 1 or (start > 0 and stop <= start):
            raise ValueError(f"{index} of the stack is not a run of layers.")
        return self._cut(start, stop)
