"""Watch how the likelihood grows while a model is fitted."""

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import UUID

import numpy as np

from destructors._compat import close_listener, open_listener, send
from destructors.inspection import LikelihoodDisplay

# What a record tells.
_COLUMNS = (
    "run",
    "fit",
    "within",
    "estimator",
    "task",
    "step",
    "name",
    "train_score",
    "validation_score",
    "seconds",
)
# Seconds between pictures of a fit that runs.
_BETWEEN = 1.0


class LikelihoodMonitor:
    """Record the log-likelihood after each step of a fit.

    A callback: ``model.set_callbacks(monitor).fit(X)``. A step is a layer of a stack, a
    tree, a number of components, a step of an EM, whatever reports a score; what is
    fitted inside of it has records of its own. In a notebook the curves are drawn while
    the fit runs.

    Parameters
    ----------
    live : bool, default=True
        Whether to draw, once a second, if the fit runs in a notebook and Matplotlib is
        installed.

    Attributes
    ----------
    records : list of dict
        One for each step that has ended, in that order, of all fits so far:

        ``run``
            Number of the outermost fit, from 0 on.
        ``fit``
            Which fit inside of it: numbers of the tasks that lead to it.
        ``within``
            The same in words, such as ``"TreeFlow / layer 1 / trees 1"``.
        ``estimator``, ``task``, ``name``
            Class that takes the step, what a step adds (``"layer"``, ``"tree"``, …),
            and the name of what was added.
        ``step``
            Its number, from 1 on.
        ``train_score``, ``validation_score``
            Mean log density of the training and of the held-out rows after it, in nats
            (of boosted trees, the gain by all so far; of alignments, minus the
            divergence). NaN where nothing is held out.
        ``seconds``
            Since the outermost fit began.

    See Also
    --------
    destructors.inspection.LikelihoodDisplay : The curves of a model that is fitted.

    Notes
    -----
    Set it on the outermost estimator, as scikit-learn's ``ProgressBar``: on the search,
    not on what it searches. Processes of a search send their records home. Models are
    the same with and without it.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.callbacks import LikelihoodMonitor
    >>> from destructors.flows import RBIG
    >>> X = np.random.default_rng(0).gamma(2.0, size=(500, 2))
    >>> monitor = LikelihoodMonitor()
    >>> model = RBIG(max_iter=2, early_stopping=False, random_state=0)
    >>> model = model.set_callbacks(monitor).fit(X)
    >>> [(record["task"], record["step"]) for record in monitor.records]
    [('layer', 1), ('layer', 2)]
    >>> bool(monitor.records[-1]["train_score"] == model.train_score_[-1])
    True
    """

    # Heard of at all levels below the estimator that it is set on.
    max_propagation_depth = None

    def __init__(self, live: bool = True):
        if not isinstance(live, bool):
            raise TypeError(f"live must be True or False, got {live!r}.")
        self.live = live
        self.records: list[dict[str, Any]] = []
        self._runs: dict[UUID, int] = {}
        # Where the processes of a fit that runs send what they record.
        self._handles: dict[UUID, Any] = {}
        self._screen: Any = None
        self._drawn = 0.0

    # ------------------------------------------------------------------ what it gives

    def to_frame(self) -> Any:
        """Return the records as a table.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each record.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "A frame needs pandas: pip install destructors[tables]. Without it, "
                "the records are a list of dicts."
            ) from error
        return pd.DataFrame(self.records, columns=list(_COLUMNS))

    def plot(self, *, ax: Any = None, **kwargs: Any) -> LikelihoodDisplay:
        """Draw the curves of the last run.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw.
        **kwargs : dict
            Keyword arguments of the curves.

        Returns
        -------
        display : LikelihoodDisplay
            A panel for the outermost fit that has records, and one for that inside of
            it which was the last to take a step.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        ValueError
            If nothing was recorded.
        """
        return LikelihoodDisplay(self._panels()).plot(ax=ax, **kwargs)

    def _panels(self) -> list[tuple[str, list[float], list[float]]]:
        records = list(self.records)
        if not records:
            raise ValueError(
                "Nothing was recorded: set the monitor on an estimator that is fitted "
                "step by step, and fit it."
            )
        own = [record for record in records if record["run"] == records[-1]["run"]]
        outer, last = min((r["fit"] for r in own), key=len), own[-1]["fit"]
        panels = []
        for fit in dict.fromkeys((outer, last)):
            steps = [record for record in own if record["fit"] == fit]
            # What was before the first step is not told.
            train = [np.nan, *(step["train_score"] for step in steps)]
            held_out = [np.nan, *(step["validation_score"] for step in steps)]
            known = not np.isnan(held_out).all()
            panels.append((steps[0]["task"], train, held_out if known else []))
        return panels

    # ------------------------------------------------------------------ the protocol

    def setup(self, estimator: Any, context: Any) -> None:
        """Listen to the processes of the fit that begins."""
        self._handles[context.root_uuid] = open_listener(self._take)

    def teardown(self, estimator: Any, context: Any) -> None:
        """Stop listening, and draw what there is."""
        if (handle := self._handles.pop(context.root_uuid, None)) is not None:
            close_listener(handle)
        self._show(0.0)
        self._screen = None

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, metadata: dict[str, Any] | None = None
    ) -> None:
        """Record the scores of a step."""
        if metadata is None or "train_score" not in metadata:
            return
        above = list(_above(context))
        began = above[-1].init_time
        message = {
            "run": context.root_uuid,
            "fit": tuple(task.task_id for task in reversed(above)),
            "within": " / ".join(map(_title, reversed(above))),
            "estimator": context.estimator_name,
            "task": context.task_name,
            **metadata,
            "seconds": (datetime.now(UTC) - began).total_seconds(),
        }
        handle = self._handles.get(context.root_uuid)
        if handle is None:
            self._take(message)
        else:
            send(handle, message)
        self._show(_BETWEEN)

    def _take(self, message: dict[str, Any]) -> None:
        run = self._runs.setdefault(message["run"], len(self._runs))
        record = {**message, "run": run}
        self.records.append({name: record[name] for name in _COLUMNS})

    # ------------------------------------------------------------------ notebooks

    def _show(self, between: float) -> None:
        """Draw in a notebook, if so many seconds have gone by."""
        if not (self.live and self.records and _in_notebook()):
            return
        if perf_counter() - self._drawn < between:
            return
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            return
        figure = self.plot().figure_
        if self._screen is None:
            display = sys.modules["IPython"].display.display
            self._screen = display(figure, display_id=True)
        else:
            self._screen.update(figure)
        # Else the notebook would draw it once more, below the cell.
        plt.close(figure)
        self._drawn = perf_counter()

    def __getstate__(self) -> dict[str, Any]:
        # Records may come in while they are copied; a screen stays where it is.
        return {**self.__dict__, "records": list(self.records), "_screen": None}


def _above(context: Any) -> Iterator[Any]:
    """Yield the tasks around a task, the innermost first."""
    while (context := context.parent) is not None:
        yield context


def _title(context: Any) -> str:
    """Return what to call a task."""
    if context.parent is None:
        return context.estimator_name
    # A fit inside of another is known to that by a name of its own.
    return f"{context.source_task_name or context.task_name} {context.task_id}"


def _in_notebook() -> bool:
    """Return whether this is the thread of a notebook that cells run in."""
    if threading.current_thread() is not threading.main_thread():
        return False
    get = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return getattr(get(), "kernel", None) is not None
