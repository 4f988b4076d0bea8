"""The first layer of rows of both kinds: marginals of numbers, and a mixed mixture."""

from typing import Literal, NamedTuple

import numpy as np

from destructors.base import Destructor
from destructors.flows._marginals import fit_marginals, list_marginals
from destructors.greedy import Progress
from destructors.maps import Map
from destructors.mixture._mixed_em import MixedEM
from destructors.mixture._mixed_fit import (
    MixedSearch,
    MixedSettings,
    hold_out,
    unique,
)
from destructors.rows import Fold, Rows

# Marginals are compared before a mixture of so many classes.
_N_COMPARED = 4


class MixedStart(NamedTuple):
    """What was fitted.

    Attributes
    ----------
    map : Map
        Of each column of numbers by itself.
    em : MixedEM
        The fit of the mixture to what the map gives.
    scores : dict of int to float
        Held-out mean log density for each number of classes that was tried, in nats.
    rows : Rows
        The different training rows, after the map.
    n_classes : int
        The number that was chosen.
    """

    map: Map
    em: MixedEM
    scores: dict[int, float]
    rows: Rows
    n_classes: int


def fit_start(
    fold: Fold,
    marginal: Destructor | Literal["auto"] | None,
    how: MixedSettings,
    random_state: np.random.RandomState,
    progress: Progress,
) -> MixedStart:
    """Fit marginals of numbers, and a mixture that numbers share with the rest.

    Held-out rows judge marginals that were fitted to the others.

    Parameters
    ----------
    fold : Fold
        Rows of both kinds. Without held-out rows, some are held out to choose by, and
        all is fitted to all rows in the end.
    marginal : Destructor, "auto" or None
        What each column of numbers goes through first; see `MixtureDensity`.
    how : MixedSettings
        How the mixture is fitted.
    random_state : RandomState
        Of the hold-out and of what is drawn.
    progress : Progress
        To be told of each number of classes.

    Raises
    ------
    ValueError
        If a column has no value, or the marginal does not end on the standard normal.
    """
    rows, is_own = unique(fold.train), isinstance(marginal, Destructor)
    empty = np.flatnonzero(np.isnan(rows.values).all(axis=0))
    if len(empty):
        raise ValueError(
            f"Column {rows.name(int(empty[0]))} has no value at all: drop it."
        )
    kinds = list_marginals(marginal, random_state.randint(2**31 - 1))
    seed = random_state.randint(2**31 - 1)
    if fold.validation is None:
        splits = hold_out(rows, how.validation_fraction, seed)
    else:
        splits = [(rows, fold.validation)]
    has_numbers = rows.kinds is None or bool((rows.kinds == 0).any())
    rough = how._replace(n_components=min(_N_COMPARED, len(rows)), n_folds=None)
    found = []
    for kind in kinds if has_numbers else kinds[:1]:
        maps = [fit_marginals(train, kind, is_own) for train, _ in splits]
        moved = [
            (train.through(map_), test.through(map_))
            for map_, (train, test) in zip(maps, splits, strict=True)
        ]
        score = 0.0
        if has_numbers and len(kinds) > 1:
            search = MixedSearch(moved, rough, seed, Progress(None), len(rows))
            score = search.criterion
        found.append((score, kind, maps, moved))
    _, kind, maps, moved = max(found, key=lambda each: each[0])
    search = MixedSearch(moved, how, seed, progress, len(rows))
    map_ = maps[0]
    if fold.validation is None:
        map_ = fit_marginals(rows, kind, is_own)
    rows = rows.through(map_)
    return MixedStart(map_, search.fit(rows), search.scores, rows, search.n_classes)
