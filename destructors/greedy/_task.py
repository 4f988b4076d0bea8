"""What the greedy engine grows: a task, what it tries, and the steps it has taken."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from destructors.greedy._progress import Progress


class Scores(NamedTuple):
    """What a chain is worth; larger is better.

    Attributes
    ----------
    train, validation : float
        Objective on the rows of a fold, training and held-out part. The second is NaN
        without held-out rows.
    criterion : float
        What choices are made by: the objective on held-out rows, in a form in which a
        few of them do not outweigh all others. NaN without held-out rows.
    """

    train: float
    validation: float
    criterion: float

    @classmethod
    def mean(cls, scores: Sequence["Scores"]) -> "Scores":
        """Return the mean over folds."""
        return scores[0] if len(scores) == 1 else cls(*np.mean(scores, axis=0).tolist())


class Trial(NamedTuple):
    """A candidate fitted on one fold.

    Attributes
    ----------
    layer : object
        What the chain would gain.
    state : object
        The fold with its rows passed through the layer.
    scores : Scores
        Of the chain with this layer.
    """

    layer: Any
    state: Any
    scores: Scores


@dataclass(frozen=True)
class Step:
    """A layer that was added.

    Attributes
    ----------
    choice : int
        Number of the candidate.
    layer : object
        As fitted on the first fold.
    params : dict
        What its fits on all folds have found best, for a fit without held-out rows.
    scores : Scores
        After it, the mean over folds.
    gains : dict of str to float
        Rise of the criterion by each candidate that was tried.
    """

    choice: int
    layer: Any
    params: dict[str, Any]
    scores: Scores
    gains: dict[str, float]


class Task(ABC):
    """What the engine asks of those who grow something.

    A *state* is what one fold has become: training and validation rows.
    """

    @abstractmethod
    def score(self, state: Any) -> Scores:
        """Return what the rows of a fold are worth as they are."""

    @abstractmethod
    def attempt(
        self,
        choice: int,
        states: Sequence[Any],
        place: int,
        params: dict[str, Any],
        progress: Progress,
    ) -> list[Trial]:
        """Fit a candidate on each fold.

        Parameters
        ----------
        choice : int
            Number of the candidate.
        states : sequence of object
            The folds. When time is up after some of them, the rest may be left out.
        place : int
            Number of layers below. Random draws are a function of it and the choice.
        params : dict
            Parameters to set, as `refit_params` has returned them.
        progress : Progress
            To be told of each fit.
        """

    def refit_params(self, layers: list[Any]) -> dict[str, Any]:
        """Return what fits of a candidate on the folds have found best."""
        return {}

    def size(self, state: Any) -> int:
        """Return the number of training rows of a fold."""
        return 0

    def shorten(self, state: Any, n_rows: int) -> Any:
        """Return a fold with few training rows, chosen by content.

        Raises
        ------
        NotImplementedError
            If the task knows no shorter fold; only a `Race` asks for one.
        """
        raise NotImplementedError
