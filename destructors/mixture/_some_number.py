"""A mixture of the number of components that held-out rows choose."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.greedy import Progress
from destructors.mixture._average import average
from destructors.mixture._em import EM
from destructors.mixture._incremental import PART_ROWS, fit_in_parts
from destructors.mixture._number import N_TELLING, Numbers, numbers_to_try
from destructors.rows import Fold, Rows, is_over, make_splits

# Rows of so many parts are taken part by part.
_MANY_PARTS = 5


def fit_some_number(
    model: Any, fold: Fold, random_state: np.random.RandomState
) -> tuple[EM, dict[int, float]]:
    """Fit mixtures, and choose their number of components where there is a choice.

    Parameters
    ----------
    model : GaussianMixtureDestructor
        Whose parameters say how.
    fold : Fold
        Different rows in standard units and in random order; without held-out rows some
        are held out where they are needed.
    random_state : RandomState
        Seed of the hold-out and of the axes that are drawn.

    Returns
    -------
    em : EM
        The fit to all rows, or the mean of fits without one fold each.
    scores : dict of int to float
        Held-out mean log-density for each number that was tried, in nats.
    """
    rows = fold.train
    is_averaged = (
        model.n_folds is not None
        and fold.validation is None
        and len(rows) >= model.n_folds
    )
    numbers = numbers_to_try(model.n_components, len(rows), rows.n_features)
    seeds = random_state.randint(2**31 - 1, size=model.n_init)
    folds, n_folds = [fold], model.n_folds if is_averaged else None
    if is_averaged or (fold.validation is None and len(numbers) > 1):
        seed = random_state.randint(2**31 - 1)
        splits = make_splits(rows, n_folds, model.validation_fraction, seed)
        folds = [Fold(rows.take(train), rows.take(test)) for train, test in splits]
    if not is_averaged:
        [em], scores = _fit_parts(model, folds, [rows], numbers, seeds)
        return em, scores
    em = EM(model, rows, model.max_iter)
    parts = [fold.train for fold in folds]
    fits, scores = _fit_parts(model, folds, parts, numbers, seeds, em.wide)
    return average(em, fits, [test for _, test in splits]), scores


def _fit_parts(
    model: Any,
    folds: Sequence[Fold],
    parts: Sequence[Rows],
    numbers: list[int],
    seeds: NDArray,
    wide: NDArray | None = None,
) -> tuple[list[EM], dict[int, float]]:
    """Fit to each of some parts of the rows, with one number that folds choose."""
    # Where rows are few, the last steps cost little and the optimum counts.
    rough = len(parts[0]) > N_TELLING and len(numbers) > 1
    start = partial(_fit_often, model, seeds=seeds, rough=rough, wide=wide)
    if len(numbers) == 1:
        progress = Progress(model, noun="step", every=10)
        n_doublings = max(numbers[0] - 1, 0).bit_length()
        n_fits = model.n_init * len(parts)
        with progress.running(model.max_iter * (n_doublings + 1) * n_fits):
            fits = [
                start(rows, numbers[0], None, place, progress=progress)
                for place, rows in enumerate(parts)
            ]
        return fits, {}
    is_given = not isinstance(model.n_components, str)
    search = Numbers(numbers, start, tries_all=is_given)
    best, scores = search.choose(folds, Progress(model, noun="number"))
    if len(best[0].given) == len(parts[0]) and not rough:
        return best, scores

    def finish(place: int) -> EM:
        em = EM(model, parts[place], model.max_iter, wide=wide)
        fit = lambda em: em.fit_from(best[place].mixture)
        if len(em.given) >= _MANY_PARTS * PART_ROWS:
            held_out = folds[place].validation
            fit = lambda em: fit_in_parts(em, best[place], held_out)
        return em.remembered("all", place, fit=fit)

    return [finish(place) for place in range(len(parts))], scores


def _fit_often(
    model: Any,
    rows: Rows,
    n_components: int,
    before: EM | None,
    place: int = 0,
    *,
    seeds: NDArray,
    rough: bool = False,
    wide: NDArray | None = None,
    progress: Progress | None = None,
) -> EM:
    """Fit as often as asked for; return the most likely."""
    fits: list[EM] = []
    for seed in seeds:
        if fits and is_over():
            break
        em = EM(model, rows, model.max_iter, progress, wide)
        fit = partial(
            EM.fit,
            n_components=n_components,
            random_state=np.random.RandomState(seed),
            before=before,
            by_chance=len(fits) > 0,
            rough=rough,
        )
        fits.append(em.remembered(place, n_components, len(fits), fit=fit))
    return max(fits, key=lambda em: em.lower_bound)
