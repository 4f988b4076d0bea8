"""What the greedy engine grows: a task, what it tries, and the steps it has taken."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from destructors.greedy._progress import Progress


class Trial(NamedTuple):
    """A candidate fitted on one fold.

    Attributes
    ----------
    layer : object
        What the chain would gain.
    state : object
        The fold with its rows passed through the layer.
    train_score, validation_score : float
        Objective of the chain with this layer; larger is better. The second is NaN
        without held-out rows.
    """

    layer: Any
    state: Any
    train_score: float
    validation_score: float


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
    train_score, validation_score : float
        Objective after it, the mean over folds.
    gains : dict of str to float
        Rise of the objective by each candidate that was tried.
    """

    choice: int
    layer: Any
    params: dict[str, Any]
    train_score: float
    validation_score: float
    gains: dict[str, float]


class Task(ABC):
    """What the engine asks of those who grow something.

    A *state* is what one fold has become: training and validation rows.
    """

    @abstractmethod
    def score(self, state: Any) -> tuple[float, float]:
        """Return the objective on the rows of a fold: training and held-out part."""

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
