"""The greedy engine: add the best layer, one at a time, while held-out data gain.

It knows nothing of likelihood. A stack says how a candidate is tried on one fold of the
data and what the objective is; the engine chooses, stops, cuts back, resumes, reports
to callbacks, and keeps what was fitted when something fails.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from destructors._compat import CallbackSupportMixin, Interval, with_callbacks
from destructors._threads import map_threads

__all__ = ["GreedyStackMixin", "Trial"]

# Gains that differ by less, beside the objective, differ by rounding errors.
_TIE = 1e-10


class Trial(NamedTuple):
    """A candidate fitted on one fold.

    Attributes
    ----------
    layer : estimator
        The fitted layer.
    fold : object
        The fold with its rows passed through the layer.
    train_score, validation_score : float
        Objective of the stack with this layer; larger is better. The second is NaN
        without held-out rows.
    """

    layer: Any
    fold: Any
    train_score: float
    validation_score: float


class GreedyStackMixin(CallbackSupportMixin):
    """Grow ``layers_`` greedily; mixed into an estimator.

    The estimator gives `_named_candidates`, `_try_candidate` and `_fold_scores`, and
    the parameters of `_greedy_constraints`.
    """

    _greedy_constraints: ClassVar[dict] = {
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # ------------------------------------------------------------------ hooks

    @abstractmethod
    def _named_candidates(self) -> list[tuple[str, Any]]:
        """Give the (name, estimator) candidates."""

    @abstractmethod
    def _try_candidate(self, candidate: Any, fold: Any) -> Trial:
        """Fit a candidate, already cloned and seeded, on the rows of a fold."""

    @abstractmethod
    def _fold_scores(self, fold: Any) -> tuple[float, float]:
        """Objective of the rows of a fold as they are: train and held-out."""

    def _settled_layers(self, layers: list[Any]) -> dict[str, Any]:
        """Parameters of a candidate that its fits with held-out rows have settled."""
        return {}

    def _max_layers(self) -> int:
        return self.max_iter

    def _skips(self, candidate: int) -> bool:
        """Whether a candidate, about to be fitted, is passed over."""
        return False

    def _note_gains(self, gains: dict[int, float]) -> None:
        """Take note of what each candidate of a turn would gain."""

    def _turn(self, n_layers: int, n_candidates: int) -> Sequence[int]:
        """Which candidates are tried as the next layer: by default all of them."""
        return range(n_candidates)

    def _has_converged(self) -> bool:
        """Whether the last layers no longer raise the held-out objective by `tol`."""
        scores = np.array(self._validation_scores)
        if not self._stops_early() or len(scores) <= self.n_iter_no_change:
            return False
        before, last = np.split(scores, [-self.n_iter_no_change])
        # Layers from a fit without held-out rows, which a warm start goes on from, have
        # no score: fmax passes over NaN.
        return bool(np.fmax.reduce(last) < np.fmax.reduce(before) + self.tol)

    def _best_depth(self) -> int:
        """Number of layers to keep: the best held-out prefix, or all of them."""
        if not self._stops_early():
            return len(self.layers_)
        return int(np.nanargmax(self._validation_scores))

    def _stops_early(self) -> bool:
        return self.early_stopping and not np.isnan(self._validation_scores[-1])

    # ------------------------------------------------------------------ engine

    def _start(self, folds: list[Any], entropy: int) -> None:
        """Begin an empty stack."""
        self._entropy = entropy
        self._choices: list[int] = []
        self._settings: list[dict[str, Any]] = []
        self.layers_: list[Any] = []
        train, validation = _mean_scores([self._fold_scores(fold) for fold in folds])
        self._train_scores, self._validation_scores = [train], [validation]

    @with_callbacks
    def _grow(self, folds: list[Any], all_rows: Any = None) -> None:
        """Add layers until the objective or ``max_iter`` says stop, then cut back.

        With one fold ``layers_`` holds the layers of that fold. With several, only the
        choices and the depth are theirs; the layers are fitted again on ``all_rows``.
        """
        names, candidates = zip(*self._named_candidates(), strict=True)
        max_layers = self._max_layers()
        context = self._init_callback_context(max_subtasks=max_layers)
        context.call_on_fit_task_begin(estimator=self)
        while len(self.layers_) < max_layers and not self._has_converged():
            task = context.subcontext(task_name="layer")
            task.call_on_fit_task_begin(estimator=self)
            try:
                best = self._best_trials(names, candidates, folds)
            except (Exception, KeyboardInterrupt) as error:
                if not self.layers_:
                    raise
                # Layers already fitted are worth keeping whatever happened since.
                warnings.warn(
                    f"Fitting stopped at layer {len(self.layers_) + 1} by "
                    f"{type(error).__name__}: {error}. The layers before it are kept.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
                break
            if best is None:
                break
            choice, trials = best
            folds = [trial.fold for trial in trials]
            train, validation = _mean_scores([trial[2:] for trial in trials])
            self._choices.append(choice)
            fitted = [trial.layer for trial in trials]
            self._settings.append(self._settled_layers(fitted))
            self.layers_.append(fitted[0])
            self._train_scores.append(train)
            self._validation_scores.append(validation)
            if self.verbose:
                scores = f"train {train:.4f}"
                if not np.isnan(validation):
                    scores += f", held-out {validation:.4f}"
                print(
                    f"[{type(self).__name__}] layer {len(self.layers_)} "
                    f"({names[choice]}): {scores}"
                )
            self._set_scores()
            state = self._reconstruction_attributes if all_rows is None else None
            if task.call_on_fit_task_end(
                estimator=self, reconstruction_attributes=state
            ):
                break
        self._cut(self._best_depth())
        if all_rows is not None:
            self._refit(all_rows, len(self._choices), settled=True)
            self._set_scores()
        context.call_on_fit_task_end(
            estimator=self,
            reconstruction_attributes=self._reconstruction_attributes,
        )

    def _best_trials(self, names, candidates, folds) -> tuple[int, list[Trial]] | None:
        """Try the candidates of this turn on all folds; give the best of them, or None
        where all were passed over.
        """
        turn = self._turn(len(self.layers_), len(candidates))
        fitted = self._try_turn(turn, names, candidates, folds)
        gains = {c: self._gain(trials) for c, trials in fitted.items()}
        self._note_gains(gains)
        if not fitted:
            return None
        # NaN, where no score came before, is no gain to choose by: the first is taken.
        top = max(gains.values())
        least = top - _TIE * max(1.0, abs(top))
        best = next(c for c, gain in gains.items() if not gain < least)
        return best, fitted[best]

    def _try_turn(self, turn, names, candidates, folds) -> dict[int, list[Trial]]:
        """Fit candidates on all folds; give the trials of those that did not fail."""
        results = map_threads(
            lambda c: self._try_on_folds(c, candidates[c], folds, self._seed(c)),
            turn,
            self.n_jobs,
        )
        errors = {
            c: error
            for c, (_, error) in zip(turn, results, strict=True)
            if error is not None
        }
        fitted = {
            c: trials for c, (trials, _) in zip(turn, results, strict=True) if trials
        }
        if errors and not fitted:
            raise next(iter(errors.values()))
        for c, error in errors.items():
            warnings.warn(
                f"Candidate {names[c]!r} failed at layer {len(self.layers_) + 1} "
                f"and was passed over: {type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
        return fitted

    def _gain(self, trials: list[Trial]) -> float:
        """Rise of the objective by a candidate: the held-out one, if there is one."""
        train, validation = _mean_scores([trial[2:] for trial in trials])
        if np.isnan(validation):
            return train - self._train_scores[-1]
        return validation - self._validation_scores[-1]

    def _try_on_folds(self, number, candidate, folds, seed):
        """Fit one candidate on each fold; an error is a result, not the end."""
        if self._skips(number):
            return None, None
        try:
            return [self._try_seeded(candidate, fold, seed) for fold in folds], None
        except Exception as error:
            return None, error

    def _try_seeded(self, candidate, fold, seed, **params) -> Trial:
        layer = clone(candidate).set_params(**params)
        _set_random_states(layer, seed)
        layer._validate_params()
        return self._try_candidate(layer, fold)

    def _seed(self, candidate: int, layer: int | None = None) -> int:
        """Seed of a candidate at a layer: a function of the two, so that neither
        ``n_jobs`` nor an interruption changes it.
        """
        place = len(self.layers_) if layer is None else layer
        sequence = np.random.SeedSequence([self._entropy, place, candidate])
        return int(sequence.generate_state(1)[0] >> 1)

    def _refit(self, fold: Any, depth: int, *, settled: bool) -> Any:
        """Fit the first ``depth`` chosen layers again, on other rows.

        With ``settled`` there are no held-out rows: what layers chose by such rows
        before, they are told.
        """
        candidates = [candidate for _, candidate in self._named_candidates()]
        layers = []
        for place, choice in enumerate(self._choices[:depth]):
            seed = self._seed(choice, place)
            params = self._settings[place] if settled else {}
            trial = self._try_seeded(candidates[choice], fold, seed, **params)
            layers.append(trial.layer)
            fold = trial.fold
        self.layers_ = layers
        return fold

    def _cut(self, depth: int) -> None:
        self.layers_ = self.layers_[:depth]
        self._choices = self._choices[:depth]
        self._settings = self._settings[:depth]
        self._train_scores = self._train_scores[: depth + 1]
        self._validation_scores = self._validation_scores[: depth + 1]
        self._set_scores()

    def _set_scores(self) -> None:
        """Set the public attributes that follow from the state."""
        names = [name for name, _ in self._named_candidates()]
        self.layer_names_ = [names[choice] for choice in self._choices]
        self.n_iter_ = len(self.layers_)
        self.train_score_ = np.array(self._train_scores)
        held_out = np.array(self._validation_scores)
        self.validation_score_ = held_out[~np.isnan(held_out)]

    def _reconstruction_attributes(self) -> dict[str, Any]:
        """Everything that a copy needs to work as if fitting had ended now."""
        attributes = {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if name.endswith("_") and not name.startswith("__")
        }
        for name in ("_choices", "_settings", "_train_scores", "_validation_scores"):
            attributes[name] = list(getattr(self, name))
        return attributes


def _mean_scores(scores: Sequence[tuple[float, float]]) -> tuple[float, float]:
    train, validation = np.mean(np.asarray(scores, dtype=np.float64), axis=0)
    return float(train), float(validation)


def _set_random_states(estimator: Any, seed: int) -> None:
    """Give every ``random_state`` inside an estimator a seed of its own."""
    rng = np.random.RandomState(seed)
    names = sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
    if names:
        estimator.set_params(**{name: rng.randint(2**31 - 1) for name in names})
