"""The search for a number of components, as a greedy growth."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.greedy import (
    Greedy,
    InOrder,
    Progress,
    Scores,
    Step,
    Stopping,
    Task,
    Trial,
)
from destructors.mixture._em import EM, draw_in
from destructors.rows import Fold, Rows
from destructors.rows._errors import FewRowsError

# Numbers in a row that are worse than the best before the search ends, and the held-out
# nats for which a smaller one is taken.
_N_WORSE, _NO_LOSS = 2, 0.01
# The logarithm of how many times as many components are little more: half a doubling.
# Of 40 that were passed over by their pace on small tables four would have gained more
# than 0.01 nats on held-out rows, 0.15 together; the others lost 0.19 each.
_LITTLE = 0.5 * np.log(2.0)
# A parameter that is estimated from n rows costs 1 / (2 n) nats of each other row.
# While there are so many rows for each, that is less than 0.05 nats for all of them:
# a loss then says only that few components have not found the shape, as circles are
# one blob to less than thirty.
_N_HARMLESS = 10
# Root mean squares of a feature beyond which rows are as far out for each number.
_N_SCALES = 15.0
# Rows for each parameter of a mixture on which it is tried, where there are so many,
# and the fewest; the one that is chosen is fitted on all rows.
_N_FOR_EACH, N_TELLING = 2, 10_000
# What "auto" tries, up to the largest number, and that, which leaves each component so
# many rows for each feature.
_NUMBERS, _N_ROWS = [2**i for i in range(10)], 4


def numbers_to_try(
    given: int | Sequence[int] | str, n_rows: int, n_features: int
) -> list[int]:
    """Return the numbers of components to try, smallest first.

    Parameters
    ----------
    given : int, list of int or "auto"
        Parameter of `GaussianMixtureDestructor`.
    n_rows : int
        Number of different rows.
    n_features : int
        Number of features.

    Returns
    -------
    numbers : list of int

    Raises
    ------
    ValueError
        If a number is no positive integer, or all are larger than that of the rows.
    """
    if isinstance(given, str):
        enough = min(max(1, n_rows // (_N_ROWS * n_features)), _NUMBERS[-1])
        return [number for number in _NUMBERS if number < enough] + [enough]
    numbers = np.ravel(np.asarray(given, dtype=object)).tolist()
    for number in numbers:
        if not isinstance(number, Integral) or int(number) < 1:
            raise ValueError(
                "n_components must be one or more positive integers, got "
                f"{number!r} in {given!r}."
            )
    if not numbers:
        raise ValueError("n_components is empty: give one or more positive integers.")
    possible = sorted({int(number) for number in numbers if number <= n_rows})
    if not possible:
        raise FewRowsError(
            f"n_components={given!r} is more than there are different rows "
            f"(n_samples={n_rows})."
        )
    return possible


def smaller_numbers(n_components: int) -> list[int]:
    """Return the numbers that "auto" would try below one, smallest first."""
    return [number for number in _NUMBERS if number < n_components]


class _Doublings(InOrder):
    """One number after the other, but for a last one that isn't worth a try.

    It may be little more than the one before. If the number before that was doubled for
    so little that, at this pace, the last gains less than what a smaller one is taken
    for, the search ends.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of components.
    enough : float
        What a smaller one is taken for, in nats.
    """

    def __init__(self, numbers: Sequence[int], enough: float):
        super().__init__(*map(_name, numbers))
        self.numbers, self.enough = np.log(numbers), enough

    def turn(self, history: Sequence[Step]) -> Sequence[str]:
        """Return the next in order, until there is none."""
        n = len(history)
        if n < 2 or n != len(self.numbers) - 1:
            return super().turn(history)
        last, more = np.diff(self.numbers[-3:])
        gain = history[-1].scores.criterion - history[-2].scores.criterion
        if more < _LITTLE and gain * more / last < self.enough:
            return []
        return super().turn(history)


def _name(number: int) -> str:
    return f"{number} components"


class Numbers(Task):
    """Mixtures of more and more components: each takes the place of the one before.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of components, smallest first. The search ends with the first that is
        not less than that of the training rows.
    start : callable
        Takes rows in standard units, a number, the fit of the number before, or None,
        and which of the folds it is; returns the fit.
    tries_all : bool, default=True
        Whether a last number that is hardly larger is tried in any case.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        start: Callable[[Rows, int, EM | None, int], EM],
        tries_all: bool = True,
    ):
        self.numbers, self.start, self.tries_all = numbers, start, tries_all

    def choose(
        self, folds: Sequence[Fold], progress: Progress
    ) -> tuple[list[EM], dict[int, float]]:
        """Try numbers one after the other until held-out rows are against it.

        Parameters
        ----------
        folds : sequence of Fold
            Rows in standard units.
        progress : Progress
            To be told of each number.

        Returns
        -------
        best : list of EM
            The fits of the number chosen, one for each fold.
        scores : dict of int to float
            Held-out mean log-density for each number that was tried, in nats.
        """
        n_rows = min(len(fold.train) for fold in folds)
        # What the mean of mixtures loses by many components is less than what one does.
        enough = _NO_LOSS if len(folds) == 1 else 0.0
        n_possible = 1 + sum(number < n_rows for number in self.numbers[:-1])
        schedule = _Doublings(self.numbers, -np.inf if self.tries_all else enough)
        engine = Greedy(
            self,
            list(schedule.names),
            schedule=schedule,
            stopping=Stopping(
                _N_WORSE, 0.0, enough=enough, free=self._n_harmless(folds)
            ),
            max_iter=n_possible,
            progress=progress,
        )
        with progress.running(n_possible):
            engine.grow([(fold, None) for fold in folds])
        # Before the first number there is a score that is none.
        scores = dict(zip(self.numbers, engine.validation_scores[1:], strict=False))
        engine.cut()
        return engine.steps[-1].params["fits"], scores

    def _n_harmless(self, folds: Sequence[Fold]) -> int:
        """Return how many of the numbers are too small to overfit."""
        rows = min((fold.train for fold in folds), key=len)
        return sum(
            _N_HARMLESS * n_parameters(number, rows.n_features)
            <= min(len(rows), n_telling(number, rows))
            for number in self.numbers
        )

    def refit_params(self, layers: list[EM]) -> dict[str, Any]:
        """Return the fits of all folds, for `choose`."""
        return {"fits": layers}

    def score(self, state: tuple[Fold, EM | None]) -> Scores:
        """Return NaN: there is no mixture before the first."""
        return Scores(np.nan, np.nan, np.nan)

    def attempt(
        self, choice: int, states: Sequence[tuple[Fold, EM | None]], *_: Any
    ) -> list[Trial]:
        """Fit a mixture on each fold, from that before; see `Task.attempt`."""
        return [self._try(choice, *state, place) for place, state in enumerate(states)]

    def _try(self, choice: int, fold: Fold, before: EM | None, place: int) -> Trial:
        assert fold.validation is not None
        n_components = min(self.numbers[choice], len(fold.train))
        # Rows stand in random order.
        train = fold.train.take(slice(n_telling(n_components, fold.train)))
        em = self.start(train, n_components, before, place)
        held_out = criterion = em.score(fold.validation)
        # Of a row farther out than any mixture of the training rows reaches, a wider
        # one would know more; that it is far out is all that should count.
        within = draw_in(fold.validation, _reach(fold.train))
        if within is not fold.validation:
            criterion = em.score(within)
        return Trial(em, (fold, em), Scores(em.lower_bound, held_out, criterion))


def n_telling(n_components: int, rows: Rows) -> int:
    """Return how many rows tell what so many components are worth."""
    needed = _N_FOR_EACH * n_parameters(n_components, rows.n_features)
    return max(N_TELLING, needed)


def n_parameters(n_components: int, n_features: int) -> int:
    """Return the number of parameters of a mixture with full covariances."""
    return n_components * (1 + n_features + n_features * (n_features + 1) // 2)


def _reach(rows: Rows) -> NDArray:
    """Return how far out a mixture of these rows knows anything of each feature."""
    squares = rows.sum(lambda part: part.weights @ part.values**2)
    return _N_SCALES * np.sqrt(squares / rows.total)
