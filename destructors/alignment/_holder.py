"""Who has the rows of a domain, and answers questions about them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from destructors._compat import check_sample_weight
from destructors.alignment._queries import (
    STATISTICS,
    STEPS,
    may_leave,
    read_message,
    write_message,
)
from destructors.maps import Map
from destructors.rows import Rows

# The answer of who was begun anew since it was told of what it is asked about.
FORGOTTEN = "forgotten"
# Rows between two quantile levels, at the fewest: the mean of fewer tells of each.
FEWEST_IN_GROUP = 5
# Statistics whose last argument is a number of levels.
_BY_LEVELS = {"group_means", "levels_along"}
# What the name of a map begins with.
MAP = "map:"


class DomainHolder:
    """The rows of one domain, which stay where they are.

    It is called with a message, and returns one: bytes, that arrays and plain values
    are made of and no code. What it can be asked for is a closed list: numbers of rows
    and columns, names of columns, moments, the binary exponent of the largest number of
    a column, means of rows between quantile levels along directions (of five rows at
    least), sums of rows along forces on these means, whether digits are lost, and a
    hash. Of a domain with few rows moments alone tell much, and noise is not added:
    this is no differential privacy.

    Put one where the rows are: in another process, behind a web service, in an actor of
    Dask or Ray.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows of the domain, finite.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights of the rows.
    feature_names : list of str, default=None
        Names of the columns, for messages and for `fit` to learn.
    """

    def __init__(
        self,
        X: ArrayLike,
        sample_weight: ArrayLike | None = None,
        feature_names: list[str] | None = None,
    ):
        values = check_array(X, dtype=np.float64)
        names = None if feature_names is None else np.array(feature_names, object)
        rows = Rows.of(values, names=names)
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, values, dtype=np.float64, ensure_non_negative=True
            )
            rows = rows.weighted(weight)
        self._known, self._maps = {0: rows}, dict[str, Map]()

    def __call__(self, message: bytes) -> bytes:
        """Return the answer to a question.

        Raises
        ------
        ValueError
            If the message asks for what is not on the list, or is damaged.
        """
        maps, alive, steps, key, name, is_sum, state = read_message(message)
        self._maps |= dict(maps)
        try:
            for place, before, step, given in steps:
                arguments = self._look_up(given)
                rows = _find(STEPS, step)(*arguments, self._known[before])
                self._known[place] = rows
            rows, state = self._known[key], self._look_up(state)
        except KeyError:
            return write_message(FORGOTTEN)
        kept = {0, *alive.tolist()}
        self._known = {k: rows for k, rows in self._known.items() if k in kept}
        statistic = _find(STATISTICS, name)
        if name in _BY_LEVELS and len(rows) < FEWEST_IN_GROUP * state[-1]:
            raise ValueError(
                f"{len(rows)} rows are too few for means between {state[-1]} levels, "
                f"of at least {FEWEST_IN_GROUP} rows each."
            )
        answer = rows.sum(statistic, *state) if is_sum else statistic(rows, *state)
        return write_message(answer)

    def _look_up(self, given: tuple) -> list[Any]:
        """Return arguments, with maps in place of their names."""
        return [
            self._maps[one] if isinstance(one, str) and one.startswith(MAP) else one
            for one in given
        ]


def _find(known: dict[str, Any], name: Any) -> Any:
    if name not in known:
        raise ValueError(f"{name!r} may not be asked of the rows of a domain.")
    return known[name]


@may_leave
def describe(rows: Rows) -> tuple[int, int, float, tuple[str, ...] | None]:
    """Return numbers of rows and columns, the total weight, and names of columns."""
    names = None if rows.names is None else tuple(map(str, rows.names))
    return len(rows), rows.n_features, float(rows.total), names


@may_leave
def fingerprint(rows: Rows) -> str:
    """Return a hash of the rows."""
    return rows.digest().hex()
