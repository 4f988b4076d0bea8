"""What is told of a fit while it runs: to callbacks, and in lines of text."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from destructors._compat import callback_management_context

# What is fitted inside a fit that prints lines prints lines too, indented.
_DEPTH: ContextVar[int] = ContextVar("destructors_verbose_depth", default=0)
# When the last line was printed.
_last_line = 0.0


@dataclass(eq=False)
class Progress:
    """Reports the steps of a fit.

    Parameters
    ----------
    estimator : Destructor
        Whose fit it is; its callbacks hear of each step.
    verbose : int, default=0
        Whether to print a line a step.
    noun : str, default="layer"
        What a step adds.
    every : int, default=1
        How many steps a line stands for.
    snapshot : callable, default=None
        Returns the attributes that a copy of the estimator needs to work as if fitting
        had ended now; None where there is no such copy on the way.
    """

    estimator: Any
    verbose: int = 0
    noun: str = "layer"
    every: int = 1
    snapshot: Callable[[], dict[str, Any]] | None = None
    # What callbacks get in the end; whoever runs the fit sets it.
    final: Callable[[], dict[str, Any]] | None = None
    _root: Any = None
    _step: Any = None

    @contextmanager
    def running(self, max_steps: int) -> Iterator[None]:
        """Report the beginning and the end of a fit."""
        depth = _DEPTH.get()
        self._indent, self._prints = "  " * depth, bool(self.verbose or depth)
        token = _DEPTH.set(depth + 1 if self._prints else 0)
        told = bool(getattr(self.estimator, "_skl_callbacks", ()))
        scope = callback_management_context(self.estimator) if told else nullcontext()
        try:
            with scope:
                if told:
                    self._root = self.estimator._init_callback_context(
                        max_subtasks=max_steps
                    )
                    self._root.call_on_fit_task_begin(estimator=self.estimator)
                yield
                if told:
                    self._root.call_on_fit_task_end(
                        estimator=self.estimator, reconstruction_attributes=self.final
                    )
        finally:
            self._root = self._step = None
            _DEPTH.reset(token)

    def begin_step(self) -> None:
        """Report that a step begins."""
        if self._root is not None:
            # How many fits a step is made of is not known before.
            self._step = self._root.subcontext(
                task_name=self.noun, max_subtasks=None, sequential_subtasks=False
            )
            self._step.call_on_fit_task_begin(estimator=self.estimator)
            self._part_ids = itertools.count(1)

    @contextmanager
    def part(self, name: str, layer: Any) -> Iterator[None]:
        """Report the fit of one candidate on one fold, inside a step."""
        if self._step is None:
            yield
            return
        task = self._step.subcontext(task_name=name, task_id=next(self._part_ids))
        task.call_on_fit_task_begin(estimator=self.estimator)
        try:
            with task.propagate_callback_context(layer):
                yield
        finally:
            task.call_on_fit_task_end(estimator=self.estimator)

    def end_step(self, number: int, name: str, train: float, held_out: float) -> bool:
        """Report that a step has ended.

        Returns
        -------
        stop : bool
            Whether a callback wants the fit to end.
        """
        if self._prints and number % self.every == 0:
            scores = f"train {train:.4f}"
            if not np.isnan(held_out):
                scores += f", held-out {held_out:.4f}"
            which = "" if name == self.noun else f" ({name})"
            self.line(f"{self.noun} {number}{which}: {scores}")
        found = {"step": number, "name": name}
        found |= {"train_score": train, "validation_score": held_out}
        return self.close_step(self.snapshot, found)

    def close_step(
        self,
        snapshot: Callable[[], dict[str, Any]] | None = None,
        found: dict[str, Any] | None = None,
    ) -> bool:
        """Report to callbacks that a step has ended, and what it has found; see
        `end_step`.
        """
        step, self._step = self._step, None
        if step is None:
            return False
        return step.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=snapshot, metadata=found
        )

    def tried(self, place: int, name: str, gain: float, seconds: float) -> None:
        """Report what a candidate would gain, where several are tried."""
        gains = "" if np.isnan(gain) else f" gains {gain:.4f}"
        self.line(f"{self.noun} {place + 1}, {name}:{gains} ({seconds:.1f} s)")

    def line(self, text: str) -> None:
        """Print a line, if lines are printed; inside a fit not more than one a second,
        unless ``verbose`` of its own asks for all.
        """
        global _last_line
        nested, now = bool(self._indent) and not self.verbose, perf_counter()
        if not self._prints or (nested and now < _last_line + 1.0):
            return
        _last_line = now
        print(f"{self._indent}[{type(self.estimator).__name__}] {text}", flush=True)
