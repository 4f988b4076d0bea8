"""Let a fit end after some time, with what there is."""

from numbers import Real
from time import monotonic
from typing import Any
from uuid import UUID

import numpy as np


class TimeLimit:
    """Let a fit end after some time, with what there is.

    A callback: ``model.set_callbacks(TimeLimit(60)).fit(X)``. It does what the
    parameter ``max_time`` does, for every destructor, those without the parameter too,
    and for searches and pipelines of scikit-learn as a whole. The fit ends within one
    step of what is being fitted: a layer, a tree, a step of an EM.

    Parameters
    ----------
    seconds : float
        From the beginning of the outermost fit; positive.

    Raises
    ------
    TypeError
        If ``seconds`` is no number.
    ValueError
        If it is not positive and finite.

    See Also
    --------
    Checkpoint : Go on later, and end as if there had been no limit.

    Notes
    -----
    Set it on the outermost estimator, as scikit-learn's ``ProgressBar``: on the search,
    not on what it searches. A search whose time is over still fits what is left of it,
    by one step each. What is fitted depends on the machine, so results are not
    repeatable to the bit.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.callbacks import TimeLimit
    >>> from destructors.flows import RBIG
    >>> X = np.random.default_rng(0).gamma(2.0, size=(500, 2))
    >>> model = RBIG(early_stopping=False, max_iter=10_000, random_state=0)
    >>> model = model.set_callbacks(TimeLimit(0.1)).fit(X)
    >>> 1 <= model.n_iter_ < 10_000
    True
    """

    # Heard of at all levels below the estimator that it is set on.
    max_propagation_depth = None

    def __init__(self, seconds: float):
        self.seconds: float = seconds
        if not isinstance(seconds, Real) or isinstance(seconds, bool):
            raise TypeError(f"seconds must be a number, got {seconds!r}.")
        if not 0.0 < seconds < np.inf:
            raise ValueError(f"seconds must be positive and finite, got {seconds!r}.")
        # When the fits that are running end. This clock is one for all processes.
        self._ends: dict[UUID, float] = {}

    def seconds_left(self, estimator: Any) -> float:
        """Return how long the fit of an estimator may still take.

        Parameters
        ----------
        estimator : object
            It is asked for at the beginning of its fit.

        Returns
        -------
        seconds : float
            Negative if time is over.
        """
        outer = getattr(estimator, "_parent_callback_ctx", None)
        if outer is None or outer.root_uuid not in self._ends:
            return self.seconds
        return self._ends[outer.root_uuid] - monotonic()

    def setup(self, estimator: Any, context: Any) -> None:
        """Note when the outermost fit began."""
        self._ends[context.root_uuid] = monotonic() + self.seconds

    def teardown(self, estimator: Any, context: Any) -> None:
        """Forget it."""
        self._ends.pop(context.root_uuid, None)

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Return whether time is over: estimators that are none of ours ask here."""
        return monotonic() > self._ends.get(context.root_uuid, np.inf)
