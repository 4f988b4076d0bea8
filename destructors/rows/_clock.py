"""A limit of time, and an interrupt, that hold for all that is fitted inside.

A fit is made of fits. Who asked for a limit is outside, what takes the time is inside;
so whoever goes on step by step asks here whether to go on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter


class _Clock:
    def __init__(self, end: float, outer: "_Clock | None"):
        self.end, self.outer = end, outer

    def stop(self) -> None:
        self.end = -float("inf")
        if self.outer is not None:
            self.outer.stop()


_CLOCK: ContextVar[_Clock | None] = ContextVar("destructors_clock", default=None)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Limit the time of what runs inside; None sets no limit of its own."""
    outer = _CLOCK.get()
    end = float("inf") if outer is None else outer.end
    if seconds is not None:
        end = min(end, perf_counter() + seconds)
    token = _CLOCK.set(_Clock(end, outer))
    try:
        yield
    finally:
        _CLOCK.reset(token)


def is_over() -> bool:
    """Tell whether to end with what there is: time is up, or the user interrupted."""
    clock = _CLOCK.get()
    return clock is not None and perf_counter() > clock.end


def stop_all() -> None:
    """Let all that is being fitted around here end with what there is."""
    if (clock := _CLOCK.get()) is not None:
        clock.stop()


def as_interrupt(error: BaseException) -> BaseException:
    """Return the interrupt behind an error, or the error itself.

    An interrupt that arrives while a compiled kernel hands back its result comes out
    as a SystemError that it caused, or that another such error caused.
    """
    inner: BaseException | None = error
    while isinstance(inner, SystemError):
        inner = inner.__cause__ or inner.__context__
    return inner if isinstance(inner, KeyboardInterrupt) else error
